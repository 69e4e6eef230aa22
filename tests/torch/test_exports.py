"""What is written for use elsewhere: others run it and get what the module gives, and a wrong one is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import archdsl
from archdsl import ArchError, WeightsError
from archdsl.analyses.flexible import flexible
from archdsl.cli.export import FORMATS as OF_THE_COMMAND
from archdsl.network import Network
from archdsl.reports.carried import read
from archdsl.reports.exported import render
from archdsl.torch import exporting
from archdsl.torch.exporting import FORMATS, format_of

SPECS = {
    "image": "net n {\n input image : 3xHxW\n conv 4 k3 s2 -> bn -> relu -> gap -> flatten -> fc 3 as label\n}",
    "skips": "net n {\n input 1xHxW\n conv 4 k3 p1 as e\n pool 2 -> conv 4 k3 p1\n"
    " upconv 4 k2 s2 -> cat e -> conv 2 k1\n}",
    "ids": "net n {\n input ids L of 50\n embedding 8 -> to_map\n conv 4 k3 -> relu -> gmp -> flatten -> fc 3\n}",
    "tokens": "net n {\n input tokens Lx8\n attention 2 -> ln -> fc 4\n}",
    "vector": "net n {\n input 12\n fc 8 -> relu -> fc 2\n}",
    "volume": "net n {\n input 1xDxHxW\n conv 4 k3 p1 -> pool 2 -> gap -> flatten -> fc 2\n}",
    "wave": "net n {\n input 1xL\n conv 4 k9 s4 -> relu -> gap -> flatten -> fc 2\n}",
    "two": "net n {\n input left : 3xHxW\n input right : 3xHxW\n"
    " left -> conv 4 k3 p1 as a\n right -> conv 4 k3 p1 as b\n (a | b) -> sub -> relu as apart\n output apart, a\n}",
    "kinds": "net n {\n input image : 3xHxW\n input extra : 5\n image -> conv 8 k3 -> gap -> flatten as f\n"
    " extra -> fc 8 as g\n (f | g) -> cat -> fc 2\n}",
    "helper": "net n {\n input 3x8x8\n conv 4 k3 as a -> relu -> gap -> flatten -> fc 2 as label\n"
    " a -> gap -> flatten -> fc 2 as aside\n output label\n output aside when training\n}",
    "windows": "net n {\n input 8x8x8\n window_attention 2 w4 -> window_attention 2 w4 s2 -> gap -> flatten -> fc 2\n}",
}
INPUTS: dict[str, tuple[tuple[int, ...], ...]] = {
    "image": ((5, 3, 40, 23),),
    "skips": ((5, 1, 34, 22),),
    "ids": ((5, 31),),
    "tokens": ((5, 17, 8),),
    "vector": ((5, 12),),
    "volume": ((5, 1, 9, 12, 7),),
    "wave": ((5, 1, 333),),
    "two": ((5, 3, 19, 12), (5, 3, 19, 12)),
    "kinds": ((5, 3, 19, 12), (5, 5)),
    "helper": ((5, 3, 8, 8),),
    "windows": ((5, 8, 8, 8),),
}
"""Other batches and sizes than the exporter has seen or compared."""


def made(name: str) -> tuple[Network, nn.Module]:
    net = archdsl.parse(SPECS[name])
    assert net.ok, net.diagnostics[0]
    torch.manual_seed(3)
    return net, net.compile()


def inputs(name: str) -> list[Tensor]:
    generator = torch.Generator().manual_seed(9)
    if name == "ids":
        return [torch.randint(50, INPUTS[name][0], generator=generator)]
    return [torch.randn(shape, generator=generator) for shape in INPUTS[name]]


def expected(model: nn.Module, given: Sequence[Tensor]) -> list[Tensor]:
    with torch.inference_mode():
        result = model.eval()(*given)
    return [result] if isinstance(result, Tensor) else [each for each in result if each is not None]


def close(got: Sequence[Any], wanted: Sequence[Tensor]) -> None:
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(
            torch.as_tensor(numpy.asarray(a.detach() if isinstance(a, Tensor) else a)), b, rtol=1e-4, atol=1e-5
        )


OLDER = {("onnx", "ids"): "No ONNX function found", ("pt2", "volume"): "Guard failed"}
"""What torch before 2.13 cannot write: a global maximum over one axis, a pooling over three axes of any size."""


def exported(net: Network, model: nn.Module, path: Path, name: str) -> bool:
    """Whether a network could be written: what only an older torch cannot write must be told, and leave nothing."""
    said = OLDER.get((path.suffix[1:], name))
    if said is None or tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 13):
        net.export(path, model)
        return True
    with pytest.raises(ArchError, match=said):
        net.export(path, model)
    assert list(path.parent.iterdir()) == []
    return False


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


# ---------------------------------------------------------------- ONNX


@pytest.mark.parametrize("name", SPECS)
def test_onnx_gives_what_the_module_gives_at_other_batches_and_sizes(name: str, tmp_path: Path) -> None:
    net, model = made(name)
    if not exported(net, model, tmp_path / "net.onnx", name):
        return
    run = session(tmp_path / "net.onnx")
    graph = net.graph
    assert [each.name for each in run.get_inputs()] == [port.name for port in graph.inputs]
    assert [each.name for each in run.get_outputs()] == [each.name for each in graph.outputs if not each.training_only]
    given = inputs(name)
    feeds = {each.name: value.numpy() for each, value in zip(run.get_inputs(), given, strict=True)}
    close(run.run(None, feeds), expected(model, given))


def test_an_onnx_file_names_its_sizes_and_carries_the_spec(tmp_path: Path) -> None:
    net, model = made("skips")
    done = net.export(tmp_path / "net.onnx", model)
    run = session(tmp_path / "net.onnx")
    assert run.get_inputs()[0].shape == ["batch", 1, "2*h", "2*w"]
    assert run.get_outputs()[0].shape == ["batch", 2, "2*h", "2*w"]
    carried = read(run.get_modelmeta().custom_metadata_map["archdsl"], "x")
    assert carried.files[0].text == SPECS["skips"]
    onnx.checker.check_model(str(tmp_path / "net.onnx"), full_check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
    assert done.sizes == (("batch", "from 1"), ("H", "2*k, from 4"), ("W", "2*k, from 4"))
    assert {check.inputs[0][0] for check in done.checks} == {1, 3}
    assert len({check.inputs[0][2:] for check in done.checks}) == 2
    assert "takes input batchx1xHxW" in render(done)


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0", "unet"])
def test_networks_that_ship(name: str, tmp_path: Path) -> None:
    net = archdsl.load(name, c=4) if name == "unet" else archdsl.load(name, input="3x64x64")
    model = net.compile()
    for value in model.buffers():  # so that what comes out is not next to nothing
        if value.is_floating_point():
            value.uniform_(0.2, 0.4)
    net.export(tmp_path / "net.onnx", model)
    image = torch.randn(2, 3, 48, 80) if name == "unet" else torch.randn(4, 3, 64, 64)
    run = session(tmp_path / "net.onnx")
    got = torch.from_numpy(run.run(None, {run.get_inputs()[0].name: image.numpy()})[0])
    (wanted,) = expected(model, [image])
    assert wanted.abs().max() > 1e-6
    assert (got - wanted).abs().max() <= 1e-3 * wanted.abs().max()


# ---------------------------------------------------------------- torch.export


@pytest.mark.parametrize("name", SPECS)
def test_a_program_gives_what_the_module_gives_at_other_batches_and_sizes(name: str, tmp_path: Path) -> None:
    net, model = made(name)
    if not exported(net, model, tmp_path / "net.pt2", name):
        return
    extra = {"archdsl": ""}
    program = torch.export.load(tmp_path / "net.pt2", extra_files=extra)
    given = inputs(name)
    result = program.module()(*given)
    close([result] if isinstance(result, Tensor) else result, expected(model, given))
    assert read(extra["archdsl"], "x").files[0].text == SPECS[name]
    assert program.state_dict.keys() == model.state_dict().keys()


def test_sizes_that_the_spec_does_not_take_are_refused(tmp_path: Path) -> None:
    net, model = made("skips")
    net.export(tmp_path / "net.pt2", model)
    program = torch.export.load(tmp_path / "net.pt2").module()
    with pytest.raises(Exception, match=r"Guard failed|divisible|Mod|% 2|2\*"):
        program(torch.randn(2, 1, 33, 32))


def test_a_batch_that_is_fixed_stays_fixed(tmp_path: Path) -> None:
    net, model = made("vector")
    done = net.export(tmp_path / "net.pt2", model, batch=4)
    assert done.inputs == (("input", (4, 12)),)
    assert [check.inputs for check in done.checks] == [((4, 12),)]
    program = torch.export.load(tmp_path / "net.pt2").module()
    assert program(torch.randn(4, 12)).shape == (4, 2)
    with pytest.raises(Exception, match="Guard failed"):
        program(torch.randn(3, 12))


# ---------------------------------------------------------------- AOTInductor


def test_a_compiled_package(tmp_path: Path) -> None:
    net, model = made("vector")
    done = net.export(tmp_path / "net.aoti.pt2", model)
    assert done.format == "aoti"
    with exporting.quiet():
        compiled = torch._inductor.aoti_load_package(str(tmp_path / "net.aoti.pt2"))
    given = inputs("vector")
    close([compiled(*given)], expected(model, given))
    assert read(compiled.get_metadata()["archdsl"], "x").network == "n"
    assert [path.name for path in tmp_path.iterdir()] == ["net.aoti.pt2"]


def test_without_a_compiler_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import config, cpp_builder

    monkeypatch.setenv("CXX", "no-such-compiler")
    for cached in ("get_cpp_compiler", "cpp_compiler_search"):
        clear = getattr(getattr(cpp_builder, cached, None), "cache_clear", None)
        if clear:
            clear()
    net, model = made("vector")
    with config.patch({"cpp.cxx": ("no-such-compiler",)}), pytest.raises(ArchError, match="needs a C\\+\\+ compiler"):
        net.export(tmp_path / "net.aoti.pt2", model)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- the Hub


def test_a_folder_for_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from archdsl.torch.hub import HubNetwork

    net, model = made("image")
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    net.export(folder, model)
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "config.json", "README.md", "notes.txt"}
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]
    found = HubNetwork.from_pretrained(folder)
    assert found.network.program == net.program
    given = inputs("image")
    close([found(*given)], expected(model, given))
    config = json.loads((folder / "config.json").read_text())
    assert config["inputs"] == [{"name": "image", "kind": "map", "shape": [3, "H", "W"]}]
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: archdsl\n")
    assert f"| parameters | {net.report().totals.parameters:,} |" in card
    found.save_pretrained(tmp_path / "again")
    again = archdsl.open(tmp_path / "again" / "model.safetensors")
    assert again.network.program == net.program
    assert (tmp_path / "again" / "README.md").read_text() == card
    assert json.loads((tmp_path / "again" / "config.json").read_text()) == config


@pytest.mark.parametrize("config", ["{", "[]", '"a"', "1", "[" * 100_000, "\xff", "{" + '"a":' * 3])
def test_a_config_that_is_none_is_an_error(config: str, tmp_path: Path) -> None:
    from archdsl.torch.hub import HubNetwork

    net, model = made("vector")
    net.export(tmp_path / "hub", model)
    (tmp_path / "hub/config.json").write_bytes(config.encode("latin-1"))
    with pytest.raises(WeightsError, match=r"holds no network, or no config\.json that can be read"):
        HubNetwork.from_pretrained(tmp_path / "hub")


def test_a_folder_in_the_way_of_a_file_for_the_hub_is_named(tmp_path: Path) -> None:
    net, model = made("vector")
    for name in ("README.md", "model.safetensors"):
        (tmp_path / "hub" / name).mkdir(parents=True)
    with pytest.raises(IsADirectoryError) as caught:
        net.export(tmp_path / "hub", model)
    assert caught.value.filename in {str(tmp_path / "hub/README.md"), str(tmp_path / "hub/model.safetensors")}
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["README.md", "hub", "model.safetensors"]


def test_push_to_hub_uploads_that_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi

    from archdsl.torch.hub import HubNetwork

    uploaded: dict[str, bytes] = {}

    def upload(self: HfApi, *, folder_path: str | Path, **options: Any) -> str:
        uploaded.update({path.name: path.read_bytes() for path in Path(folder_path).iterdir()})
        return "done"

    monkeypatch.setattr(HfApi, "create_repo", lambda self, repo_id, **options: type("Made", (), {"repo_id": repo_id}))
    monkeypatch.setattr(HfApi, "upload_folder", upload)
    net, model = made("vector")
    HubNetwork(net, model).push_to_hub("somebody/net")
    assert uploaded.keys() == {"model.safetensors", "config.json", "README.md"}
    (tmp_path / "model.safetensors").write_bytes(uploaded["model.safetensors"])
    assert archdsl.open(tmp_path / "model.safetensors").network.program == net.program


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    net, model = made("vector")
    (tmp_path / "hub").write_text("mine")
    with pytest.raises(ArchError, match="is a file"):
        net.export(tmp_path / "hub", model)
    assert (tmp_path / "hub").read_text() == "mine"


# ---------------------------------------------------------------- what is refused


class Wrong(nn.Module):
    """Gives a little more than it should, whenever it is not looked at."""

    def __init__(self, inner: nn.Module, by: float) -> None:
        super().__init__()
        self.inner = inner
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.inner(x)
        return result * (1 + self.by)


@pytest.mark.parametrize(
    ("by", "told"), [(0.01, "other values"), (float("nan"), "other values"), (0.0, "other shapes")]
)
def test_what_differs_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: float, told: str
) -> None:
    net, model = made("vector")
    path = tmp_path / "net.pt2"
    path.write_bytes(b"earlier")
    load = torch.export.load

    class Other:
        def __init__(self, program: Any) -> None:
            self.program = program

        def module(self) -> Callable[[Tensor], Tensor]:
            inner = self.program.module()
            return Wrong(inner, by) if by else lambda x: inner(x)[:, :1]

    monkeypatch.setattr(torch.export, "load", lambda place: Other(load(place)))
    with pytest.raises(ArchError, match=told):
        net.export(path, model)
    assert path.read_bytes() == b"earlier"
    assert [each.name for each in tmp_path.iterdir()] == ["net.pt2"]


def test_without_the_packages_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from archdsl.torch import onnx_files

    monkeypatch.setattr(onnx_files, "find_spec", lambda name: None if name == "onnxscript" else object())
    net, model = made("vector")
    with pytest.raises(ArchError, match="ONNX needs onnxscript: pip install onnxscript"):
        net.export(tmp_path / "net.onnx", model)


def test_the_weights_must_be_the_networks(tmp_path: Path) -> None:
    net, _ = made("vector")
    with pytest.raises(WeightsError, match="not of this network"):
        net.export(tmp_path / "net.pt2", archdsl.load("lenet5").compile())
    with pytest.raises(archdsl.SpecError):
        archdsl.parse("net a {\n input 3\n cnv 4\n}").export(tmp_path / "net.pt2")
    assert not list(tmp_path.iterdir())


def test_names_and_formats(tmp_path: Path) -> None:
    assert OF_THE_COMMAND == FORMATS
    assert [format_of(Path(name)) for name in ("A.ONNX", "a.pt2", "a.aoti.pt2", "a")] == ["onnx", "pt2", "aoti", "hub"]
    net, model = made("vector")
    with pytest.raises(ArchError, match=r"net\.xyz means no format"):
        net.export(tmp_path / "net.xyz", model)
    with pytest.raises(ArchError, match="there is no format 'nix'"):
        net.export(tmp_path / "net.pt2", model, format="nix")
    with pytest.raises(ArchError, match="at least one sample"):
        net.export(tmp_path / "net.pt2", model, batch=0)
    assert net.export(tmp_path / "net.bin", model, format="pt2").format == "pt2"
    assert torch.export.load(tmp_path / "net.bin").module()(torch.zeros(1, 12)).shape == (1, 2)


def test_a_size_that_is_not_decided_is_to_be_given() -> None:
    net, _ = made("image")
    with pytest.raises(ArchError, match="give one: --input image=3x224x224"):
        exporting._Dynamic(net.graph, (), None)


def test_what_torch_cannot_leave_open_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, model = made("image")
    forward = type(model).forward

    def only_two(self: nn.Module, x: Tensor) -> Tensor:
        result: Tensor = forward(self, x)
        return result if len(x) == 2 else result + 1

    monkeypatch.setattr(type(model), "forward", only_two)
    with pytest.raises(ArchError, match=r"torch cannot export n: .*; with fixed sizes it may: --batch 1 and --input"):
        net.export(tmp_path / "net.pt2", model)
    assert not list(tmp_path.iterdir())


def test_the_module_is_left_as_it_was(tmp_path: Path) -> None:
    net, model = made("helper")
    model.train()
    model.conv1.eval() if hasattr(model, "conv1") else model.a.eval()
    modes = [module.training for module in model.modules()]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    net.export(tmp_path / "net.pt2", model)
    assert [module.training for module in model.modules()] == modes
    assert "forward" not in vars(model)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert len(model(torch.randn(2, 3, 8, 8))) == 2


def test_without_a_module_the_weights_are_those_of_the_file(tmp_path: Path) -> None:
    net, model = made("vector")
    path = net.save(model, tmp_path / "m.safetensors")
    archdsl.load(path).export(tmp_path / "net.pt2")
    given = inputs("vector")
    close([torch.export.load(tmp_path / "net.pt2").module()(*given)], expected(model, given))


# ---------------------------------------------------------------- open sizes


@pytest.mark.parametrize(
    ("text", "step", "rest", "least"),
    [
        ("conv 4 k3 p1", 1, 0, 2),
        ("conv 4 k3 s2 -> conv 4 k3 s2", 1, 0, 11),
        ("conv 4 k3 p1 as e\n pool 4 -> upsample 4 -> add e", 4, 0, 8),
        ("gap -> flatten -> fc 2", 1, 0, 2),
    ],
)
def test_open_sizes_as_an_exporter_has_them(text: str, step: int, rest: int, least: int) -> None:
    net = archdsl.parse(f"net n {{\n input 4xHxW\n {text}\n}}")
    assert net.ok, net.diagnostics[0]
    height, width = flexible(net.graph, net.open_axes)
    assert (height.step, height.rest, height.least) == (step, rest, least)
    assert (height.places, width.places) == (((0, 1),), ((0, 2),))
    for size in height.sizes(5):
        at = archdsl.parse(net.module.source.text, input=(4, size, size))
        assert at.ok
        maps = [
            t
            for node in at.graph.nodes
            for t in at.graph.outputs_of(node)
            if t.kind == "map" and node.layer.word != "gap"
        ]
        assert all(extent != 1 for tensor in maps for extent in tensor.space)
    smaller = least - step
    if smaller > 0:
        at = archdsl.parse(net.module.source.text, input=(4, smaller, smaller))
        tensors = [t for node in at.graph.nodes for t in at.graph.outputs_of(node)]
        assert not at.ok or any(extent == 1 for tensor in tensors for extent in tensor.space)
