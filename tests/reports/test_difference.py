"""What changed between two networks: against their reports, and against torch's own state_dict()."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

import archdsl
from archdsl.cli.app import app
from archdsl.diagrams.changes import FILLS, draw_changes
from archdsl.reports.difference import Difference, difference, render, render_markdown

OLD = """
net small(classes=10) {
  input 3x32x32
  conv 16 k3 p1 -> bn -> relu -> pool 2
  conv 32 k3 p1 -> bn -> relu -> pool 2
  flatten -> fc classes as head
}
"""
NEW = """
net small(classes=10) {
  input 3x32x32
  conv 16 k3 p1 -> bn -> relu -> pool 2
  conv 48 k5 p2 -> bn -> relu -> dropout 0.1
  gap -> flatten -> fc classes as classifier
}
"""
PAIRS = [
    ("resnet18", "resnet34"),
    ("resnet50", "resnext50_32x4d"),
    ("vgg16", "vgg16_bn"),
    ("efficientnet_b0", "efficientnet_b1"),
    ("lenet5", "simplecnn_a"),
    ("vit_b_16", "vit_b_32"),
]


def changes(found: Difference) -> dict[str, str]:
    return {(each.new or each.old).path: each.change for each in found.layers}  # type: ignore[union-attr]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_sums_of_the_changes_are_the_change_of_the_sums(old: str, new: str) -> None:
    found = difference(archdsl.load(old), archdsl.load(new))
    totals = {each.name: (each.new or 0) - (each.old or 0) for each in found.totals}
    for name in ("parameters", "macs"):
        by_layer = sum(
            (getattr(each.new, name) if each.new else 0) - (getattr(each.old, name) if each.old else 0)
            for each in found.layers
        )
        assert by_layer == totals[name], name
    layers = sum((each.new is not None) - (each.old is not None) for each in found.layers)
    assert layers == totals["layers"]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_tensors_are_those_of_torch(old: str, new: str) -> None:
    """Both state_dicts, taken from the modules themselves, are what the difference says of them."""
    import torch

    with torch.device("meta"):
        was = {key: tuple(t.shape) for key, t in archdsl.load(old).compile().state_dict().items()}
        now = {key: tuple(t.shape) for key, t in archdsl.load(new).compile().state_dict().items()}
    found = difference(archdsl.load(old), archdsl.load(new))
    assert found.kept == sum(now.get(key) == shape for key, shape in was.items())
    for each in found.tensors:
        assert (each.old_key is None) == (each.change == "new")
        assert (each.new_key is None) == (each.change == "gone")
        if each.old_key is not None:
            assert was[each.old_key] == each.old_shape
        if each.new_key is not None:
            assert now[each.new_key] == each.new_shape
        if each.change == "renamed":
            assert each.old_shape == each.new_shape
    assert len({each.old_key for each in found.tensors} - {None}) + found.kept == len(was)
    assert len({each.new_key for each in found.tensors} - {None}) + found.kept == len(now)


def test_a_network_does_not_differ_from_itself() -> None:
    found = difference(archdsl.load("unet"), archdsl.load("unet"))
    assert found.is_empty
    assert render(found) == "unet -> unet\n\n  the same network\n"
    assert "The same network." in render_markdown(found)


def test_what_changed_itself_is_told_from_what_it_affects() -> None:
    found = difference(archdsl.parse(OLD), archdsl.parse(NEW))
    assert changes(found) == {
        "conv2": "changed",
        "bn2": "changed",  # it has more parameters
        "relu2": "affected",
        "dropout1": "added",
        "gap1": "added",
        "pool2": "removed",
        "flatten1": "affected",
        "classifier": "added",
        "head": "removed",
    }
    assert [each.old_key for each in found.tensors if each.change == "reshaped"][:2] == ["conv2.weight", "conv2.bias"]


def test_a_layer_under_another_name_is_renamed() -> None:
    found = difference(archdsl.parse(OLD), archdsl.parse(OLD.replace("as head", "as classifier")))
    assert changes(found) == {"classifier": "renamed"}
    assert {(each.old_key, each.new_key) for each in found.tensors} == {
        ("head.weight", "classifier.weight"),
        ("head.bias", "classifier.bias"),
    }


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dropout 0.3", "dropout", "dropout 0.3 -> dropout 0.5"),
        ("dropout", "dropout 0.3", "dropout 0.5 -> dropout 0.3"),
        ("conv 8 k3 p1 s2", "conv 8 k3 p1", "conv 8 k3 s2 p1 -> conv 8 k3 s1 p1"),
        ("bn", "bn eps=0.001", "bn eps=1e-05 -> bn eps=0.001"),
        ("conv 8 bias=no", "conv 8", "conv 8 bias=no -> conv 8 bias=yes"),
        ("pool 2", "pool 2 s1", "pool 2 -> pool 2 s1"),
    ],
)
def test_both_sides_have_the_argument_that_differs(old: str, new: str, said: str) -> None:
    """Also where it is the default of one of them, or would not be said of a layer alone."""
    text = "net a {{\n  input 3x32x32\n  conv 16 k3\n  {}\n}}\n"
    found = difference(archdsl.parse(text.format(old)), archdsl.parse(text.format(new)))
    (changed,) = [each for each in found.layers if each.change == "changed"]
    assert changed.old is not None
    assert changed.new is not None
    assert f"{changed.old.text} -> {changed.new.text}" == said
    assert said in render(found)


def test_what_comes_with_a_module_is_one_line() -> None:
    text = render(difference(archdsl.load("resnet18"), archdsl.load("resnet34")))
    lines = [line.split() for line in text.splitlines()]
    assert ["+", "layer1.2", "7", "layers", "64x56x56", "+73,984"] in lines
    assert "16 layers affected: field 99 /8 -> 115 /8" in text
    assert "parameters               11,689,512     21,797,672      +10,108,160 (+86.5%)" in text


def test_a_comment_on_a_pull_request_starts_nothing() -> None:
    odd = archdsl.parse(OLD.replace("head", "h_e_a_d"))
    text = render_markdown(difference(archdsl.parse(OLD), odd, "a|b", "<script>"))
    assert "<script>" not in text
    assert "a|b" not in text
    assert "h&#95;e&#95;a&#95;d" in text


# ---------------------------------------------------------------- the picture


def test_the_picture_shows_both_networks(tmp_path: Path) -> None:
    old, new = archdsl.parse(OLD), archdsl.parse(NEW)
    text = draw_changes(old, new, tmp_path / "a.dot").read_text(encoding="utf-8")
    assert text.count("subgraph cluster_side_") == 2
    for change in ("added", "removed", "changed", "affected"):
        assert FILLS[change].lower() in text.lower()  # type: ignore[index]
    assert FILLS["renamed"] not in text
    assert draw_changes(old, new, tmp_path / "a.svg").read_text(encoding="utf-8").count("<svg") == 1
    with pytest.raises(ValueError, match="must end with"):
        draw_changes(old, new, tmp_path / "a.txt")


def picture_of(old: str, new: str, tmp_path: Path) -> str:
    names = ("HEAD:a.arch", "a.arch")
    file = draw_changes(archdsl.parse(old), archdsl.parse(new), tmp_path / "a.dot", names=names)
    return file.read_text(encoding="utf-8")


def node_of(text: str, name: str) -> str:
    """The line of the DOT text that describes a box."""
    (line,) = [line for line in text.splitlines() if line.strip().replace('"', "", 2).startswith(f"{name} [label=<")]
    return line


def test_the_sides_have_their_names_and_one_legend_of_what_is_there(tmp_path: Path) -> None:
    text = picture_of(OLD, OLD.replace("pool 2\n  flatten", "pool 3\n  flatten"), tmp_path)
    assert text.count("old: HEAD:a.arch") == 1
    assert text.count("new: a.arch") == 1
    _, *sides = text.split("subgraph cluster_side_")
    assert text.count(">changed<") == 1
    assert not any(f">{word}<" in text for word in ("added", "removed", "renamed", "changed in part"))
    assert not any(">changed<" in side for side in sides)


def test_only_the_layer_that_changed_is_painted(tmp_path: Path) -> None:
    """Though it would stand in one box with those before it."""
    text = "net a {{\n  input 3x8x8\n  conv 8 -> relu -> {} -> relu\n}}\n"
    text = picture_of(text.format("dropout 0.3"), text.format("dropout"), tmp_path)
    for side, argument in (("side_0", "0.3"), ("side_1", "0.5")):
        assert FILLS["changed"] in node_of(text, f"{side}_dropout1")
        assert f"dropout {argument}" in node_of(text, f"{side}_dropout1")
        assert FILLS["changed"] not in node_of(text, f"{side}_conv1")
        assert "relu" in node_of(text, f"{side}_relu2")


def test_modules_in_which_nothing_changed_are_one_box_each(tmp_path: Path) -> None:
    text = "net a {{\n  input 3x64x64\n  pretrained resnet50(until=layer4) as body\n  gap -> {} -> fc 5 as head\n}}\n"
    text = picture_of(text.format("dropout 0.3 -> flatten"), text.format("dropout 0.4 -> flatten"), tmp_path)
    assert "side_0_body" in text
    assert "body.layer1" not in text
    old = "block b(k, d) {{ conv 8 k=k p=1 -> relu -> dropout d }}\nnet a {{\n  input 3x9x9\n  b(3, 0.1)\n  {}\n}}\n"
    text = picture_of(old.format("b(3, 0.1)"), old.format("b(3, 0.2)"), tmp_path)
    assert "b1.conv1" not in text
    assert "b2.conv1" in text
    assert FILLS["changed"] in node_of(text, "side_1_b2.dropout1")


# ---------------------------------------------------------------- the command


def test_the_command_prints_json_that_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "old.arch").write_text(OLD, encoding="utf-8")
    (tmp_path / "new.arch").write_text(NEW, encoding="utf-8")
    arguments = ["diff", str(tmp_path / "old.arch"), str(tmp_path / "new.arch"), "--format"]
    text = CliRunner().invoke(app, [*arguments, "json"]).stdout
    assert json.loads(text)["schema_version"] == "1.2"
    found = Difference.model_validate_json(text)
    assert changes(found) == changes(archdsl.parse(OLD).diff(archdsl.parse(NEW)))
    assert CliRunner().invoke(app, [*arguments, "markdown"]).stdout.startswith("### ")


def git(*arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of a spec that uses another; both were changed after the first commit."""
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "specs"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    (folder / "parts.arch").write_text("block part(c) {\n  conv c k3 p1 -> relu\n}\n", encoding="utf-8")
    (folder / "a.arch").write_text(
        'use part from "parts.arch"\nnet a {\n  input 3x8x8\n  part 4 as first\n}\n', encoding="utf-8"
    )
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    (folder / "parts.arch").write_text("block part(c) {\n  conv c k5 p2 -> relu\n}\n", encoding="utf-8")
    return tmp_path


def test_a_file_is_compared_with_a_revision_and_what_it_used_there(repository: Path) -> None:
    runner = CliRunner()
    found = runner.invoke(app, ["diff", "HEAD:specs/a.arch", "specs/a.arch"])
    assert found.exit_code == 0, found.stderr
    assert "~ first.conv1" in found.stdout
    assert "conv 4 k3 p1 -> conv 4 k5 p2" in found.stdout
    alone = runner.invoke(app, ["diff", "specs/a.arch"])
    assert alone.stdout == found.stdout
    same = runner.invoke(app, ["diff", "HEAD:specs/a.arch", "HEAD:specs/a.arch::a"])
    assert "the same network" in same.stdout


def test_of_files_with_several_networks_those_of_one_name_are_compared(repository: Path) -> None:
    several = repository / "specs" / "b.arch"
    one = "net {} {{\n  input 3x8x8\n  conv {} k3\n}}\n"
    several.write_text(one.format("same", 4) + one.format("other", 4) + one.format("old", 4), encoding="utf-8")
    git("add", ".")
    git("commit", "-q", "-m", "two")
    several.write_text(one.format("same", 4) + one.format("other", 8) + one.format("fresh", 4), encoding="utf-8")
    runner = CliRunner()
    text = runner.invoke(app, ["diff", "specs/b.arch"]).stdout
    assert text.startswith("HEAD:specs/b.arch::other -> specs/b.arch::other\n")
    assert text.endswith("\nremoved: HEAD:specs/b.arch::old\n\nadded: specs/b.arch::fresh\n\n1 network the same\n")
    found = json.loads(runner.invoke(app, ["diff", "specs/b.arch", "--format", "json"]).stdout)
    assert [each["new"] for each in found] == ["specs/b.arch::same", "specs/b.arch::other"]
    refused = runner.invoke(app, ["diff", "specs/b.arch", "-o", "a.svg"])
    assert refused.exit_code == 2
    assert "draw one" in refused.stderr


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ("HEAD:specs/b.arch", "there is no specs/b.arch in HEAD"),
        ("nowhere:specs/a.arch", "git: "),
        ("HEAD:../a.arch", "not a path inside the repository"),
        ("HEAD:specs/a.arch::b", "has no network called b"),
        ("--upload:specs/a.arch", "No such option"),
    ],
)
def test_what_is_not_there_is_said(repository: Path, old: str, said: str) -> None:
    found = CliRunner().invoke(app, ["diff", old, "specs/a.arch"])
    assert found.exit_code == 2
    assert said in found.stderr
    assert "Traceback" not in found.stderr


def test_a_network_alone_has_nothing_to_be_compared_with() -> None:
    found = CliRunner().invoke(app, ["diff", "resnet18"])
    assert found.exit_code == 2
    assert "name another network as well" in found.stderr


def test_without_git_it_is_said(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = CliRunner().invoke(app, ["diff", "HEAD:specs/a.arch", "specs/a.arch"])
    assert found.exit_code == 2
    assert "git, which is not installed" in found.stderr


def test_memory_is_that_of_each_network() -> None:
    old, new = archdsl.load("resnet18"), archdsl.load("resnet34")
    changes = {each.name: (each.old, each.new) for each in old.diff(new).totals}
    alone = (old.memory().inference.peak, new.memory().inference.peak)
    trained = (old.memory(batch=32).training.peak, new.memory(batch=32).training.peak)
    assert (changes["inference_memory"], changes["training_memory"]) == (alone, trained)
    unknown = {each.name: each.old for each in archdsl.load("unet").diff(old).totals}
    assert unknown["training_memory"] is None


# ---------------------------------------------------------------- what else is said

TRAINED = """
net f(classes=5) {
  input 3x64x64
  pretrained resnet18(until=layer1, freeze=[conv1]) as body
  gap -> flatten -> fc classes as head
  recipe {
    warmup epochs=3 { head lr=1e-3 }
  }
}
"""


def test_statements_about_training_are_compared() -> None:
    old = archdsl.parse(TRAINED)
    new = archdsl.parse(
        TRAINED.replace("freeze=[conv1]", 'freeze=[conv1, bn1], bn=frozen, weights="IMAGENET1K_V1"')
        .replace("1e-3", "2e-3")
        .replace("  recipe {", "  preprocess resize=70\n  recipe {")
    )
    found = difference(old, new)
    assert {each.about: (each.old, each.new) for each in found.statements} == {
        "body weights": ('"DEFAULT"', '"IMAGENET1K_V1"'),
        "body freeze": ("conv1", "conv1, bn1"),
        "body bn": (None, "frozen"),
        "stage warmup": ("epochs=3 { head lr=0.001 }", "epochs=3 { head lr=0.002 }"),
        "preprocess": (None, "resize=70"),
    }
    text = render(found)
    assert "  ~ stage warmup  epochs=3 { head lr=0.001 } -> epochs=3 { head lr=0.002 }\n" in text
    assert "  + preprocess    resize=70\n" in text
    assert "| + | preprocess | resize=70 |" in render_markdown(found)


def test_another_rate_alone_is_a_difference() -> None:
    found = difference(archdsl.parse(TRAINED), archdsl.parse(TRAINED.replace("1e-3", "2e-3")))
    assert not found.is_empty
    assert not found.layers
    assert not found.tensors
    assert difference(archdsl.parse(TRAINED), archdsl.parse(TRAINED.replace("\n  gap", "\n\n  gap"))).is_empty
