"""Networks inside a network with the weights of others: how they are loaded, and that what is frozen stays so."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from typer.testing import CliRunner

import archdsl
from archdsl import WeightsError, weights
from archdsl.cli.app import app
from archdsl.network import Network
from archdsl.torch.vision import import_torchvision
from archdsl.torch.weights import adapted, load

torchvision = import_torchvision()

SMALL = """
net small(classes=7) {
  input 3x16x16
  conv 4 k3 p1 as stem -> bn as norm -> relu
  (conv 6 k3 s2 p1 -> bn -> relu) as deep
  gap -> flatten -> fc classes as head
}
"""


def spec(line: str, before: str = "", channels: int = 3, rest: str = "gap -> flatten -> fc 5 as own") -> Network:
    return archdsl.parse(f"{before}net outer {{\n  input {channels}x64x64\n  {line} as body\n  {rest}\n}}\n", "outer")


def in_file(folder: Path, line: str, before: str = SMALL, channels: int = 3) -> Network:
    """The same in a file, beside which weights may stand."""
    text = f"{before}net outer {{\n  input {channels}x16x16\n  {line} as body\n  gap -> flatten -> fc 5 as own\n}}\n"
    (folder / "spec.arch").write_text(text, encoding="utf-8")
    return archdsl.load(folder / "spec.arch", "outer")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torch's, and no way to download anything."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def offline(url: str, *arguments: object, **options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def published(cache: Path, name: str, weight: str = "DEFAULT") -> nn.Module:
    """torchvision's own network with random weights, saved as the file of published ones."""
    found = weights.find(name, weight)
    assert found is not None
    torch.manual_seed(3)
    model: nn.Module = getattr(torchvision.models, name)()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    torch.save(model.state_dict(), cache / found.file)
    return model.eval()


# ---------------------------------------------------------------- published weights


def test_the_weights_that_a_spec_names_are_there(cache: Path) -> None:
    reference = published(cache, "resnet18")
    model = spec("pretrained resnet18(until=layer4)").compile().eval()
    image = torch.randn(2, 3, 64, 64)
    expected = nn.Sequential(*list(reference.children())[:-2])(image)
    assert torch.equal(model.body(image), expected)


def test_a_whole_network_has_them_too(cache: Path) -> None:
    reference = published(cache, "resnet18")
    model = spec('resnet18(weights="IMAGENET1K_V1")', 'use resnet18 from "resnet.arch"\n', rest="relu").compile().eval()
    image = torch.randn(2, 3, 64, 64)
    assert torch.equal(model.body(image), reference(image))


def test_the_default_is_torchvisions(cache: Path) -> None:
    published(cache, "resnet50", "IMAGENET1K_V2")
    spec("pretrained resnet50(until=layer1)").compile()
    with pytest.raises(WeightsError, match="resnet50-0676ba61"):
        spec('pretrained resnet50(weights="IMAGENET1K_V1", until=layer1)').compile()


def test_old_names_of_densenet_are_known(cache: Path) -> None:
    found = weights.find("densenet121", "DEFAULT")
    assert found is not None
    reference = torchvision.models.densenet121().eval()
    old = {}
    for key, value in reference.state_dict().items():
        for word in ("norm", "conv"):
            for number in "12":
                if "denselayer" in key:
                    key = key.replace(f".{word}{number}.", f".{word}.{number}.")
        if not key.endswith("num_batches_tracked"):
            old[key] = value
    assert any(".norm.1." in key for key in old)
    torch.save(old, cache / found.file)
    model = spec("pretrained densenet121(until=features)").compile().eval()
    image = torch.randn(1, 3, 64, 64)
    assert torch.equal(model.body(image), reference.features(image))


def test_without_the_file_and_offline_the_error_says_where_it_was_looked_for(cache: Path) -> None:
    net = spec("pretrained resnet18(until=layer1)")
    with pytest.raises(WeightsError) as problem:
        net.compile()
    text = str(problem.value)
    assert "<text>:3" in text
    assert "the weights IMAGENET1K_V1 of resnet18" in text
    assert str(cache / "resnet18-f37072fd.pth") in text
    assert "https://download.pytorch.org/models/resnet18-f37072fd.pth" in text
    assert "no route to host" in text
    net.compile(weights=False)


def test_a_variant_of_a_network_that_ships_has_its_weights(cache: Path) -> None:
    reference = published(cache, "resnet18")
    before = 'use resnet18 from "resnet.arch"\nnet own = resnet18(classes=5)\n'
    model = spec("pretrained own(until=layer1)", before).compile()
    assert torch.equal(model.body.conv1.weight, reference.conv1.weight)
    assert [finding.code for finding in spec("pretrained own", before, rest="relu").diagnostics] == ["weights-mismatch"]


def test_a_network_that_is_called_like_one_that_ships_is_not_it(tmp_path: Path) -> None:
    (tmp_path / "resnet.arch").write_text("net resnet18 {\n  input 3x16x16\n  conv 4 k3 as conv1\n}\n")
    net = in_file(tmp_path, "pretrained resnet18(until=conv1)", 'use resnet18 from "resnet.arch"\n')
    assert [finding.code for finding in net.diagnostics] == ["unknown-weights"]
    assert "no network that ships" in net.diagnostics[0].message


def test_nothing_is_downloaded_to_check(cache: Path) -> None:
    net = spec("pretrained resnet18(until=layer1, freeze=[conv1])")
    assert net.ok
    assert net.report().totals.parameters > net.report().totals.trainable
    assert not list(cache.iterdir())


# ---------------------------------------------------------------- other channels


def test_one_channel_gives_what_gray_gave_in_all_of_them(cache: Path) -> None:
    reference = published(cache, "resnet18")
    model = spec("pretrained resnet18(until=conv1)", channels=1).compile().eval()
    gray = torch.randn(2, 1, 64, 64, dtype=torch.float64)
    expected = reference.double().conv1(gray.expand(-1, 3, -1, -1))
    torch.testing.assert_close(model.double().body(gray), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("channels", [2, 4, 6, 12])
def test_other_channels_take_the_old_ones_in_turn(cache: Path, channels: int) -> None:
    reference = published(cache, "resnet18")
    net = spec("pretrained resnet18(until=layer1)", channels=channels)
    assert net.ok
    model = net.compile()
    weight = model.body.conv1.weight
    old = reference.conv1.weight
    for number in range(channels):
        torch.testing.assert_close(weight[:, number], old[:, number % 3] * 3 / channels)
    assert torch.equal(model.body.layer1[0].conv1.weight, reference.layer1[0].conv1.weight)


def test_three_channels_are_not_changed() -> None:
    weight = torch.randn(4, 3, 2, 2)
    assert torch.equal(adapted(weight, 3), weight)


# ---------------------------------------------------------------- files


def state_of(net: Network) -> dict[str, Tensor]:
    torch.manual_seed(5)
    state: dict[str, Tensor] = net.compile().state_dict()
    return state


@pytest.mark.parametrize("kind", ["safetensors", "pt", "wrapped"])
def test_weights_from_a_file(tmp_path: Path, kind: str) -> None:
    state = state_of(archdsl.parse(SMALL, "small"))
    name = "w.safetensors" if kind == "safetensors" else "w.pt"
    if kind == "safetensors":
        save_file(state, tmp_path / name)
    else:
        torch.save({"state_dict": state, "epoch": 3} if kind == "wrapped" else state, tmp_path / name)
    net = in_file(tmp_path, f'pretrained small(weights="file:{name}", until=deep)')
    assert net.ok
    model = net.compile()
    for key, value in model.body.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_what_was_loaded_is_told(tmp_path: Path) -> None:
    save_file(state_of(archdsl.parse(SMALL, "small")), tmp_path / "w.safetensors")
    net = in_file(tmp_path, 'pretrained small(weights="file:w.safetensors", until=deep)', channels=4)
    (loaded,) = load(net.graph, net.compile(weights=False), tmp_path)
    assert loaded.path == "body"
    assert loaded.adapted == ("body.stem.weight",)
    assert loaded.unused == ("head.bias", "head.weight")
    assert "body.norm.running_var" in loaded.kept


def test_what_does_not_fit_is_listed_and_nothing_is_changed(tmp_path: Path) -> None:
    state = state_of(archdsl.parse(SMALL, "small"))
    del state["norm.weight"]
    state["deep.conv1.weight"] = torch.zeros(6, 4, 5, 5)
    save_file(state, tmp_path / "w.safetensors")
    net = in_file(tmp_path, 'pretrained small(weights="file:w.safetensors", until=deep)')
    assert net.ok
    module = net.compile(weights=False)
    before = copy.deepcopy(module.state_dict())
    with pytest.raises(WeightsError) as problem:
        load(net.graph, module, tmp_path)
    text = str(problem.value)
    assert "2 of 14 tensors do not fit in w.safetensors" in text
    assert "norm.weight: 4 here, nothing in the file" in text
    assert "deep.conv1.weight: 6x4x3x3 here, 6x4x5x5 in the file" in text
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('it ran')",)


def test_a_file_that_is_no_weights_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "evil.pt").write_bytes(pickle.dumps({"stem.weight": Evil()}))
    torch.save([1, 2], tmp_path / "list.pt")
    (tmp_path / "noise.safetensors").write_bytes(b"\xff" * 100)
    (tmp_path / "empty.pt").write_bytes(b"")
    for name in ("evil.pt", "list.pt", "noise.safetensors", "empty.pt"):
        net = in_file(tmp_path, f'pretrained small(weights="file:{name}", until=deep)')
        with pytest.raises(WeightsError, match=f"{name} holds no weights"):
            net.compile()


def test_a_file_is_looked_for_beside_the_spec_and_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    save_file(state_of(archdsl.parse(SMALL, "small")), tmp_path / "out.safetensors")
    (folder / "link.safetensors").symlink_to(tmp_path / "out.safetensors")
    for written in ("../out.safetensors", "/etc/passwd", "a/../../out.safetensors", "c:/x", ""):
        net = in_file(folder, f'pretrained small(weights="file:{written}", until=deep)')
        assert [finding.code for finding in net.diagnostics] == ["outside-project"], written
    with pytest.raises(WeightsError, match="leads outside the project"):
        in_file(folder, 'pretrained small(weights="file:link.safetensors", until=deep)').compile()
    with pytest.raises(WeightsError, match="there is no file"):
        in_file(folder, 'pretrained small(weights="file:none.pt", until=deep)').compile()
    with pytest.raises(WeightsError, match="this one is in no file"):
        spec('pretrained small(weights="file:none.pt", until=deep)', SMALL).compile()


# ---------------------------------------------------------------- what is frozen


def trained(model: nn.Module, steps: int = 20) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The state before and after some steps of training, between which the modes change back and forth."""
    torch.manual_seed(0)
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    for step in range(steps):
        model.eval() if step % 5 == 4 else None
        model.train()
        for child in model.children():
            child.train()  # also past the module around
        loss = nn.functional.cross_entropy(model(torch.randn(4, 3, 64, 64)), torch.arange(4) % 5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return before, model.state_dict()


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {key for key, value in after.items() if not torch.equal(value, before[key])}


def test_frozen_parts_stay_to_the_bit_statistics_included() -> None:
    net = spec("pretrained resnet18(until=layer2, freeze=[conv1, bn1, layer1])")
    before, after = trained(net.compile(weights=False))
    moved = changed(before, after)
    held = {key for key in after if key.startswith(("body.conv1.", "body.bn1.", "body.layer1."))}
    assert not moved & held
    assert moved == set(after) - held


def test_without_freezing_everything_moves() -> None:
    before, after = trained(spec("pretrained resnet18(until=layer1)").compile(weights=False), 2)
    assert changed(before, after) == set(after)


@pytest.mark.parametrize(
    ("bn", "weights_move", "statistics_move"),
    [("train", True, True), ("affine", True, False), ("frozen", False, False)],
)
def test_the_three_ways_of_batch_norms(bn: str, weights_move: bool, statistics_move: bool) -> None:
    net = spec(f"pretrained resnet18(until=layer1, freeze=[conv1, bn1], bn={bn})")
    before, after = trained(net.compile(weights=False), 3)
    moved = changed(before, after)
    assert not any(key.startswith(("body.conv1.", "body.bn1.")) for key in moved)
    assert "body.layer1.0.conv1.weight" in moved
    assert ("body.layer1.0.bn1.weight" in moved) == weights_move
    assert ("body.layer1.0.bn1.running_mean" in moved) == statistics_move
    assert ("body.layer1.0.bn1.num_batches_tracked" in moved) == statistics_move


def test_a_frozen_normalization_gives_in_training_what_it_gives_in_evaluation() -> None:
    model = spec("pretrained resnet18(until=layer1, freeze=yes)").compile(weights=False)
    image = torch.randn(2, 3, 64, 64)
    assert torch.equal(model.train().body(image), model.eval().body(image))


def test_a_frozen_resnet50_has_the_parameters_of_the_documents() -> None:
    net = spec("pretrained resnet50(until=avgpool, freeze=yes)", rest="flatten -> fc 10")
    totals = net.report().totals
    assert (totals.parameters, totals.trainable) == (23_528_522, 20_490)
    model = net.compile(weights=False)
    assert sum(p.numel() for p in model.parameters()) == totals.parameters
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == totals.trainable


@pytest.mark.parametrize("name", ["vit_b_32", "convnext_tiny", "efficientnet_b0", "regnet_y_400mf", "swin_t"])
@pytest.mark.parametrize("bn", ["train", "affine", "frozen"])
def test_what_trains_by_the_report_is_what_trains(name: str, bn: str) -> None:
    probe = archdsl.load(name).graph
    parts = list(dict.fromkeys(node.path.partition(".")[0] for node in probe.nodes if node.inputs))[:2]
    line = f"pretrained {name}(freeze=[{', '.join(parts)}], bn={bn})"
    net = archdsl.parse(f"net outer {{\n  input 3x224x224\n  {line} as body\n  relu\n}}", "outer")
    assert net.ok, net.diagnostics[0]
    model = net.compile(weights=False)
    held = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    by_layer = {layer.path for layer in net.report().layers if layer.frozen}
    frozen = {
        key
        for key in dict(model.named_parameters())
        if key in by_layer or key.rpartition(".")[0] in by_layer or any(key.startswith(f"{path}.") for path in by_layer)
    }
    assert held == frozen
    assert net.report().totals.trainable == sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_a_contract_asks_what_trains() -> None:
    net = spec("pretrained resnet50(until=avgpool, freeze=yes)", rest="flatten -> fc 10\n  expect trainable == 20_490")
    assert net.ok
    net = spec("pretrained resnet50(until=avgpool, freeze=yes)", rest="flatten -> fc 10\n  expect trainable == 20_491")
    assert [finding.code for finding in net.diagnostics] == ["expectation"]


def test_it_is_kept_by_copies_pickles_and_export() -> None:
    model = spec("pretrained resnet18(until=layer1, freeze=[conv1, bn1])").compile(weights=False)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other.train()
        assert not other.body.bn1.training
        assert not other.body.conv1.weight.requires_grad
        assert other.body.layer1[0].bn1.training
    torch.export.export(model.eval(), (torch.randn(2, 3, 64, 64),))


def test_source_without_archdsl_freezes_as_well() -> None:
    net = spec('pretrained resnet18(until=layer1, freeze=["layer1.0", bn1], bn=affine)')
    scope: dict[str, object] = {"__name__": "alone"}
    exec(net.source(), scope)
    model = scope[net.program.class_name]()  # type: ignore[operator]
    model.train()
    assert not model.body.layer1[0].conv1.weight.requires_grad
    assert model.body.layer1[1].conv1.weight.requires_grad
    assert not model.body.layer1[1].bn1.training


def test_freezing_names_a_layer_that_is_left() -> None:
    net = spec("pretrained resnet18(until=layer1, freeze=[layer2])")
    assert [(finding.code, finding.span.text) for finding in net.diagnostics] == [("unknown-name", "layer2")]


def test_build_says_what_is_missing_and_does_without_it_when_told(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "spec.arch").write_text(
        "net small {\n  input 3x64x64\n  pretrained resnet18(until=layer1, freeze=yes) as body\n"
        "  gap -> flatten -> fc 5\n}\n"
    )
    build = ["build", str(tmp_path / "spec.arch"), "-o", str(tmp_path / "out")]
    failed = CliRunner().invoke(app, build)
    assert failed.exit_code == 2
    assert "resnet18-f37072fd.pth is not there" in failed.stderr
    assert "Traceback" not in failed.output
    done = CliRunner().invoke(app, [*build, "--no-weights"])
    assert done.exit_code == 0, done.output
    assert "output 2x5" in done.output
    published(cache, "resnet18")
    assert CliRunner().invoke(app, build).exit_code == 0
