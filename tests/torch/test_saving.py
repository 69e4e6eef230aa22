"""Weights that carry their spec: what goes in comes back, from the file alone, and nothing else is believed."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import archdsl
from archdsl import ArchError, NotFoundError, SpecChangedWarning, SpecError, WeightsError, limits, project
from archdsl.layers import STANDARD, Expression, Layer, positional
from archdsl.layers import Tensor as Shape
from archdsl.network import Network
from archdsl.reports.carried import KEY, carried, read

BLOCKS = "block cell(c, act=relu) {\n  conv c k3 p1 -> bn -> act\n}\n"
SPEC = """use cell from "parts/blocks.arch"

## Sorts flowers.
net flowers(classes=5, act=relu, widths=[4, 6]) {
  input image : 3xHxW
  for c in widths { cell(c, act=act) -> pool 2 }
  gap -> flatten -> fc classes as label
}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec that uses another file."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "blocks.arch").write_text(BLOCKS)
    (tmp_path / "flowers.arch").write_text(SPEC)
    return tmp_path / "flowers.arch"


def random_state(model: nn.Module, seed: int = 0) -> nn.Module:
    """The module with random statistics as well."""
    torch.manual_seed(seed)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.1, 1)
    return model.eval()


def same(a: nn.Module, b: nn.Module, *inputs: Tensor) -> bool:
    with torch.inference_mode():
        return torch.equal(a(*inputs), b(*inputs))


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:  # type: ignore[no-untyped-call]
        found: dict[str, str] = file.metadata()
    return found


def rewritten(path: Path, text: str) -> Path:
    """The same weights with another text inside."""
    save_file(load_file(path), path, metadata={KEY: text})
    return path


# ---------------------------------------------------------------- there and back


@pytest.mark.usefixtures("one_thread")
def test_network_and_weights_come_back_from_the_file_alone(spec: Path, tmp_path: Path) -> None:
    net = archdsl.load(spec, classes=7, act="gelu", widths=[4, 6, 8], input="3x32x48")
    model = random_state(net.compile())
    path = net.save(model, tmp_path / "model.safetensors")
    spec.unlink()
    (tmp_path / "parts" / "blocks.arch").unlink()
    network, again, changes = archdsl.open(path)
    assert changes == ""
    assert network.arguments == {"classes": 7, "act": "gelu", "widths": [4, 6, 8]}
    assert network.program == net.program
    assert [port.tensor for port in network.graph.inputs] == [port.tensor for port in net.graph.inputs]
    assert not again.training
    assert same(model, again, torch.randn(2, 3, 32, 48))
    assert any(isinstance(layer, nn.GELU) for layer in again.modules())


def test_any_reader_of_safetensors_reads_it(spec: Path, tmp_path: Path) -> None:
    net = archdsl.load(spec)
    model = random_state(net.compile())
    path = net.save(model, tmp_path / "model.safetensors")
    state = load_file(path)
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert json.loads(metadata(path)[KEY])["files"][0]["text"] == SPEC


@pytest.mark.parametrize("name", ["lenet5", "squeezenet1_1", "swin_t", "siamese"])
def test_networks_that_ship_and_one_with_shared_weights(name: str, tmp_path: Path) -> None:
    net = archdsl.load("examples/siamese.arch" if name == "siamese" else name)
    model = random_state(net.compile())
    network, again, changes = archdsl.open(net.save(model, tmp_path / "m.safetensors"))
    assert changes == ""
    assert network.program == net.program
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    assert not any(each.is_meta for each in (*again.parameters(), *again.buffers()))


def test_what_stands_in_memory_in_other_ways(spec: Path, tmp_path: Path) -> None:
    net = archdsl.load(spec, widths=[6, 6], input="3x16x16")
    model = random_state(net.compile()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    first, second = model.cell1.bn1, model.cell2.bn1
    second.weight = first.weight  # tied by hand
    second.bias.data = model.cell1.conv1.bias.data[:]  # a view of the memory of another
    _, again, _ = archdsl.open(net.save(model, tmp_path / "m.safetensors"))
    image = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(model(image), again(image))
    assert torch.equal(again.cell2.bn1.weight, first.weight)


def test_precision_and_what_is_frozen_are_kept(tmp_path: Path) -> None:
    net = archdsl.parse(
        "net a {\n  input 3x64x64\n  pretrained resnet18(until=layer1, freeze=[conv1]) as body\n  gap -> flatten\n}"
    )
    model = net.compile(weights=False).to(torch.bfloat16)
    network, again, _ = archdsl.open(net.save(model, tmp_path / "m.safetensors"))
    assert {p.dtype for p in again.parameters()} == {torch.bfloat16}
    assert not again.body.conv1.weight.requires_grad
    assert again.body.layer1[0].conv1.weight.requires_grad
    assert again.body.bn1.num_batches_tracked.dtype == torch.int64
    assert [each.ships for each in network.graph.backbones] == [True]


def test_a_module_that_torch_compiled_is_saved_under_the_same_names(tmp_path: Path) -> None:
    net = archdsl.load("lenet5")
    model = net.compile()
    wrapped: nn.Module = torch.compile(model, backend="eager")  # type: ignore[assignment]
    assert load_file(net.save(wrapped, tmp_path / "m.safetensors")).keys() == model.state_dict().keys()


def test_what_was_opened_is_saved_again(spec: Path, tmp_path: Path) -> None:
    net = archdsl.parse("net a {\n  input 3x64x64\n  pretrained resnet18(until=layer1) as body\n  gap -> flatten\n}")
    for given, model in ((archdsl.load(spec, classes=3), None), (net, net.compile(weights=False))):
        first = given.save(model or given.compile(), tmp_path / "a.safetensors")
        network, again, _ = archdsl.open(first)
        second = network.save(again, tmp_path / "b.safetensors")
        assert archdsl.open(second).network.program == given.program
        assert json.loads(metadata(second)[KEY]) == json.loads(metadata(first)[KEY])


def test_a_network_is_loaded_from_it_and_may_be_given_other_arguments(spec: Path, tmp_path: Path) -> None:
    net = archdsl.load(spec, classes=7, input="3x32x32")
    path = net.save(net.compile(), tmp_path / "m.safetensors")
    assert archdsl.load(path).program == net.program
    assert archdsl.load(f"{path}::flowers").program == net.program
    other = archdsl.load(path, classes=9, input="3x64x64")
    assert other.report().outputs[0].shape == (9,)
    assert other.report().inputs[0].shape == (3, 64, 64)
    with pytest.raises(WeightsError, match=r"label\.weight: 9x6 in the network, 7x6 in the file"):
        other.filled()
    with pytest.raises(NotFoundError, match="has no network called flour"):
        archdsl.load(path, "flour")


# ---------------------------------------------------------------- what is not saved


def test_the_module_of_another_network_is_refused(spec: Path, tmp_path: Path) -> None:
    net, other = archdsl.load(spec), archdsl.load(spec, classes=6, widths=[4])
    path = tmp_path / "m.safetensors"
    net.save(net.compile(), path)
    before = path.read_bytes()
    with pytest.raises(WeightsError) as problem:
        net.save(other.compile(), path)
    text = str(problem.value)
    assert "not of this network" in text
    assert "cell2.conv1.weight: 6x4x3x3 in the network, nothing in the module" in text
    assert path.read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"m.safetensors", "flowers.arch", "parts"}
    with torch.device("meta"):
        empty = copy.deepcopy(net.compile())
    with pytest.raises(WeightsError, match="meta device"):
        net.save(empty, path)


def test_what_cannot_be_written_as_data_is_refused(tmp_path: Path) -> None:
    net = archdsl.parse("net a(c=4) {\n  input 3\n  fc 4\n}", c=object())
    with pytest.raises(ArchError, match=r"the argument c=<object .*> cannot be saved"):
        net.save(net.compile(), tmp_path / "m.safetensors")
    with pytest.raises(SpecError):
        archdsl.parse("net a {\n  input 3\n  cnv 4\n}").save(nn.Identity(), tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_an_error_of_the_system(spec: Path, tmp_path: Path) -> None:
    net = archdsl.load(spec)
    (tmp_path / "folder.safetensors").mkdir()
    for place in (tmp_path / "folder.safetensors", tmp_path / "none" / "m.safetensors"):
        with pytest.raises(OSError, match=r"regular file|No such file") as problem:
            net.save(net.compile(), place)
        assert problem.value.filename == str(place)


def test_a_change_of_what_is_said_of_training_is_told(tmp_path: Path) -> None:
    text = "net n {\n  input 4\n  fc 3 as head\n  recipe { one { head lr=1e-3 } }\n}"
    (tmp_path / "n.arch").write_text(text)
    net = archdsl.load(tmp_path / "n.arch")
    path = net.save(net.compile(), tmp_path / "n.safetensors")
    (tmp_path / "n.arch").write_text(text.replace("1e-3", "1e-4"))
    with pytest.warns(SpecChangedWarning, match=r"~ stage one +\{ head lr=0.001 \} -> \{ head lr=0.0001 \}"):
        archdsl.open(path)


def test_what_is_opened_lies_in_memory_as_what_was_saved(spec: Path, tmp_path: Path) -> None:
    """At borders of 64 bytes, as torch lays out tensors: elsewhere its kernels add in another order."""
    net = archdsl.load(spec)
    model = archdsl.open(net.save(net.compile(), tmp_path / "m.safetensors")).model
    assert {value.data_ptr() % 64 for value in model.state_dict().values()} == {0}


def test_others_may_read_it_as_other_files(spec: Path, tmp_path: Path) -> None:
    net = archdsl.load(spec)
    path = net.save(net.compile(), tmp_path / "m.safetensors")
    (tmp_path / "other").write_text("")
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
    path.chmod(0o640)
    net.save(net.compile(), path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_cut_off_is_told_before_torch_reads_it(spec: Path, tmp_path: Path) -> None:
    net = archdsl.load(spec)
    path = net.save(net.compile(), tmp_path / "m.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(WeightsError, match="is cut off: its header tells of more tensors"):
        archdsl.load(path)
    path.write_bytes(whole)
    assert archdsl.load(path).ok


def test_what_is_no_module_or_no_name_of_safetensors(spec: Path, tmp_path: Path) -> None:
    net = archdsl.load(spec)
    with pytest.raises(WeightsError, match="a module of the network is meant, not OrderedDict"):
        net.save(net.compile().state_dict(), tmp_path / "m.safetensors")  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=r"what is written is safetensors: save\(model, '.*m.safetensors'\)"):
        net.save(net.compile(), tmp_path / "m.pt")
    with pytest.raises(WeightsError, match="those of a file are given by the spec"):
        net.compile("m.pt")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["{0}/secret.arch", "../secret.arch", "link.arch", "a" * 300 + ".arch", "no\0thing.arch"]
)
def test_a_spec_in_a_file_of_weights_reads_no_other_file(name: str, tmp_path: Path) -> None:
    """What is told of changes is of the file of that name beside the weights, and of none elsewhere."""
    (tmp_path / "in").mkdir()
    text = "net small {\n  input 3x8x8\n  conv 4 k3 as stem\n}"
    (tmp_path / "secret.arch").write_text(text.replace("conv 4 k3 as stem", "conv 4242 k3 as topsecret"))
    (tmp_path / "in" / "link.arch").symlink_to("../secret.arch")
    net = archdsl.parse(text)
    path = net.save(net.compile(), tmp_path / "in" / "w.safetensors")
    with safe_open(path, "pt") as file:
        carried = json.loads(file.metadata()["archdsl"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # it is no mapping
    carried["files"][0]["name"] = name.format(tmp_path)
    save_file(tensors, path, metadata={"archdsl": json.dumps(carried)})
    opened = archdsl.open(path)
    assert opened.changes == ""
    assert opened.network.name == "small"


@pytest.mark.parametrize("key", ["arguments", "inputs", "pretrained", "files"])
def test_a_spec_of_many_entries_is_refused_before_each_is_looked_at(key: str, spec: Path) -> None:
    data = json.loads(carried(archdsl.load(spec)).text())
    data[key] = [{}] * 1001 if key == "files" else {f"n{i}": None for i in range(1001)}
    with pytest.raises(WeightsError, match="more than 1,000 of one kind"):
        read(json.dumps(data), "w.safetensors")
    data = json.loads(carried(archdsl.load(spec)).text())
    data["files"][0]["uses"] = {f"n{i}": -1 for i in range(1001)}
    with pytest.raises(WeightsError, match="more than 1,000 of one kind"):
        read(json.dumps(data), "w.safetensors")


def test_a_number_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "n.arch").write_text("net n(classes=3) {\n  input 4\n  fc classes\n}")
    net = archdsl.load(tmp_path / "n.arch", classes=10**400)
    with pytest.raises(ArchError, match="more than 32 digits"):
        net.report()


class Clip(Layer):
    """Keeps values below a highest one."""

    word = "clip"
    family = "elementwise"
    is_module = False
    torch_name = "torch.clamp"

    high: float = positional("the highest value", 1.0)

    def lower(self, *inputs: Shape) -> Expression:
        return Expression(f"{{0}}.clamp(max={self.high!r})")


def test_layers_of_ones_own_need_their_catalog(tmp_path: Path) -> None:
    catalog = STANDARD.extended_with(Clip)
    net = archdsl.parse("net a {\n  input 3\n  fc 4 -> clip 0.5\n}", catalog=catalog)
    path = net.save(net.compile(), tmp_path / "m.safetensors")
    assert archdsl.open(path, catalog).network.program == net.program
    with pytest.raises(SpecError, match="no layer"):
        archdsl.open(path)


# ---------------------------------------------------------------- what changed since


def saved(spec: Path, **arguments: object) -> Path:
    net = archdsl.load(spec, **arguments)  # type: ignore[arg-type]
    return net.save(net.compile(), spec.parent / "m.safetensors")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("conv c k3 p1", "conv c k5 p2", "conv 4 k3 p1 -> conv 4 k5 p2"),
        ("as label", "as logits", "logits"),
        ("input image", "input photo", "other names of inputs or outputs"),
        ("net flowers", "net plants", "has no network flowers any more"),
        ("gap ->", "gap -> cnv ->", "has errors"),
    ],
)
def test_a_change_of_the_spec_is_told(spec: Path, old: str, new: str, told: str) -> None:
    path = saved(spec)
    for file in (spec, spec.parent / "parts" / "blocks.arch"):
        file.write_text(file.read_text().replace(old, new))
    with pytest.warns(SpecChangedWarning) as found:
        opened = archdsl.open(path)
    assert told in opened.changes
    assert opened.changes in str(found[0].message)
    assert found[0].filename == __file__
    assert "conv c k3 p1" in opened.network.module.uses[0].source.text


def test_what_changes_nothing_is_not_told(spec: Path) -> None:
    path = saved(spec)
    spec.write_text("# a remark\n" + SPEC.replace("Sorts flowers", "Tells flowers apart"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert archdsl.open(path).changes == ""


def test_a_change_of_what_ships_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = archdsl.load("lenet5")
    path = net.save(net.compile(), tmp_path / "m.safetensors")
    (tmp_path / "specs").mkdir()
    changed = net.module.source.text.replace("tanh", "relu")
    assert changed != net.module.source.text
    (tmp_path / "specs" / "lenet.arch").write_text(changed)
    monkeypatch.setattr(project, "shipped", lambda: {"lenet5": tmp_path / "specs" / "lenet.arch"})
    with pytest.warns(SpecChangedWarning, match=r"\+ relu1"):
        opened = archdsl.open(path)
    assert opened.network.program == net.program


# ---------------------------------------------------------------- files of strangers


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no file of safetensors"),
        (b"\xff" * 100, "no file of safetensors"),
        ((1000).to_bytes(8, "little") + b"{}", "cut off"),
        ((2).to_bytes(8, "little") + b"[]", "no file of safetensors"),
        ((2).to_bytes(8, "little") + b"{}", "carries no spec"),
        ((20).to_bytes(8, "little") + b'{"__metadata__": 42}', "no file of safetensors"),
        ((100_000).to_bytes(8, "little") + b"[" * 100_000, "no file of safetensors"),
    ],
)
def test_a_file_that_is_none_of_ours(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    for use in (archdsl.open, archdsl.load):
        with pytest.raises(WeightsError, match=told):
            use(path)
    with pytest.raises(NotFoundError, match="no such file"):
        archdsl.open(tmp_path / "none.safetensors")
    with pytest.raises(NotFoundError, match="directory"):
        archdsl.open(tmp_path)


def test_a_file_that_is_cut_off(spec: Path) -> None:
    path = saved(spec)
    content = path.read_bytes()
    for length in (4, 100, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError):
            archdsl.open(path)


def altered(spec: Path, **changes: object) -> str:
    data = json.loads(carried(archdsl.load(spec)).text())
    return json.dumps({**data, **changes})


FILE = {"name": "a.arch", "text": "", "ships": False, "uses": {}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": 2, "archdsl": "9.0"}, r"later archdsl \(9.0\)"),
        ({"format": "1"}, "wrong form: format"),
        ({"network": 3}, "wrong form: network"),
        ({"network": "none"}, "without its network"),
        ({"files": []}, "wrong form: files"),
        ({"files": [FILE] * 200}, "wrong form: files"),
        ({"files": [{**FILE, "text": "#" * limits.FILE_CHARACTERS}, {**FILE, "text": "##"}]}, "characters"),
        ({"files": [{**FILE, "uses": {"a": -1}}]}, "wrong form: files.0.uses"),
        ({"arguments": {"classes": {"a": 1}}}, "the argument classes="),
        ({"arguments": {"classes": None}}, "the argument classes="),
        ({"inputs": {"image": {"kind": "map", "dims": [3, 0, 8], "vocabulary": None}}}, "wrong form: inputs"),
        ({"inputs": {"image": {"kind": "sound", "dims": [3], "vocabulary": None}}}, "wrong form: inputs"),
        ({"inputs": {"image": {"kind": "map", "dims": [3, "../x", 8], "vocabulary": None}}}, "wrong form: inputs"),
    ],
)
def test_a_spec_of_a_wrong_form_is_refused(spec: Path, changes: dict[str, object], told: str) -> None:
    path = rewritten(saved(spec), altered(spec, **changes))
    for use in (archdsl.open, archdsl.load):
        with pytest.raises(WeightsError, match=told):
            use(path)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '{"format": NaN}', '{"format": 1e999}', "\x00"])
def test_what_is_no_data_is_refused(text: str) -> None:
    with pytest.raises(WeightsError, match=r"x carries a spec of a wrong form"):
        read(text, "x")


def test_random_changes_of_what_is_inside_are_never_more_than_an_error(spec: Path) -> None:
    path, random = saved(spec), Random(4)
    state, text = load_file(path), metadata(path)[KEY]
    signs = ['"', ",", "{", "}", "[", "]", "0", "9", "a", "\\", "\\ud800", "\x00", "\u202e", "\U0001f600", "null", "-1"]
    outcomes = set()
    for _ in range(150):
        changed = list(text)
        for _ in range(random.randint(1, 3)):
            changed[random.randrange(len(changed))] = random.choice([*signs, ""])
        save_file(state, path, metadata={KEY: "".join(changed)})
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SpecChangedWarning)
                archdsl.open(path)
            outcomes.add("opened")
        except ArchError as problem:
            outcomes.add(type(problem).__name__)
    assert {"opened", "WeightsError", "SpecError"} <= outcomes


def test_a_spec_that_is_too_large_is_not_even_read() -> None:
    with pytest.raises(WeightsError, match="too large"):
        read("[" * (4 * limits.FILE_CHARACTERS + 2_000_000), "x")


def test_nothing_on_disk_is_opened_for_what_the_texts_use(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(spec)
    secret = spec.parent / "secret.arch"
    secret.write_text("let classes_ = 5\nblock cell(c) {\n  conv c k3\n}\n")
    text = json.loads(metadata(path)[KEY])
    for written in ("secret.arch", str(secret), "../secret.arch", "resnet.arch", "parts/../secret.arch"):
        text["files"] = [{**FILE, "text": SPEC.replace("parts/blocks.arch", written)}]
        with pytest.raises(SpecError) as problem:
            archdsl.open(rewritten(path, json.dumps(text)))
        codes = {finding.code for finding in problem.value.diagnostics if finding.is_error}
        assert codes == {"missing-file"}, written
        assert "is not among the texts in" in str(problem.value)


def test_texts_that_use_each_other_come_to_an_end(spec: Path) -> None:
    path = saved(spec)
    text = json.loads(metadata(path)[KEY])
    uses = 'use cell from "b"\n'
    for files in (
        [{**FILE, "text": uses + "net flowers {\n  input 3\n  relu\n}\n", "uses": {"b": 0}}],
        [
            {**FILE, "text": uses + "net flowers {\n  input 3\n  relu\n}\n", "uses": {"b": 1}},
            {**FILE, "text": uses, "uses": {"b": 1}},
        ],
    ):
        with pytest.raises(SpecError, match="circular-use"):
            archdsl.open(rewritten(path, json.dumps({**text, "files": files, "pretrained": {"flowers": 1}})))


def test_the_limits_hold_inside_as_well(spec: Path) -> None:
    path = saved(spec)
    text = json.loads(metadata(path)[KEY])
    text["files"] = [{**FILE, "text": "net flowers {\n  input 3x8x8\n  ((relu x9999) x9999) x9999\n}\n"}]
    with pytest.raises(SpecError, match="too-many-layers"):
        archdsl.open(rewritten(path, json.dumps(text)))


def test_names_inside_are_made_safe_to_show(spec: Path) -> None:
    path = saved(spec)
    text = json.loads(metadata(path)[KEY])
    text["files"] = [{**FILE, "name": "../\x1b[31m/\ud800\x07.arch", "text": "net flowers {\n  input 3\n  cnv 4\n}\n"}]
    with pytest.raises(SpecError) as problem:
        archdsl.open(rewritten(path, json.dumps(text)))
    assert "\x1b" not in str(problem.value)
    assert "\x07" not in str(problem.value)
    assert str(problem.value).isascii()


def test_other_weights_than_the_networks_are_refused(spec: Path) -> None:
    path = saved(spec)
    state = load_file(path)
    state["label.weight"] = torch.zeros(5, 9)
    del state["label.bias"]
    state["further\x1b"] = torch.zeros(1)
    save_file(state, path, metadata=metadata(path))
    with pytest.raises(WeightsError) as problem:
        archdsl.open(path)
    text = str(problem.value)
    assert "3 tensors differ" in text
    assert "label.weight: 5x6 in the network, 5x9 in the file" in text
    assert "label.bias: 5 in the network, nothing in the file" in text
    assert "further\\x1b: nothing in the network, 1 in the file" in text


def test_a_network_without_weights_is_saved_too(tmp_path: Path) -> None:
    net: Network = archdsl.parse("net a {\n  input 3\n  relu\n}")
    assert archdsl.open(net.save(net.compile(), tmp_path / "m.safetensors")).network.name == "a"
