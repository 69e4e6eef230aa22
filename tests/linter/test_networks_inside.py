"""What is found in a network that ships, and stands in the reader's own: told in the reader's file."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

import archdsl
from archdsl.cli.app import app
from tests.linter.helpers import found

INSIDE = """net f {
  input 3x75x75
  pretrained resnet18 as body
}
"""


def test_a_finding_in_a_shipped_network_is_at_the_line_that_brings_it_in() -> None:
    (finding,) = found(archdsl.parse(INSIDE), frozenset(["saturated-field"]))
    assert finding.span.line == 3
    assert "resnet18" in finding.span.text
    assert finding.notes[0] == "the layer is body.layer4.1.conv2, written at resnet.arch:6:8"


def test_so_it_is_for_a_variant_and_for_a_block_that_ship() -> None:
    variant = 'use resnet, basic from "resnet.arch"\nnet f = resnet(basic, [2, 2, 2, 2])\n'
    (finding,) = found(archdsl.parse(variant, input="3x75x75"), frozenset(["saturated-field"]))
    assert (finding.span.line, finding.span.text) == (2, "f")
    block = 'use basic from "resnet.arch"\nnet f {\n  input 8x3x3\n  basic(8)\n  basic(8)\n}\n'
    (finding,) = found(archdsl.parse(block), frozenset(["saturated-field"]))
    assert finding.span.line in (4, 5)


def test_a_shipped_network_itself_keeps_its_places() -> None:
    findings = found(archdsl.load("resnet18", input="3x75x75"), frozenset(["saturated-field"]))
    assert findings
    for finding in findings:
        assert finding.span.source.name == "resnet.arch"
        assert not any(note.startswith("the layer is") for note in finding.notes)


def test_a_network_out_of_the_readers_own_file_keeps_its_places(tmp_path: Path) -> None:
    own = "net own {\n  input 3x8x8\n  conv 4 k3 -> bn\n}\n"
    (tmp_path / "own.arch").write_text(own, encoding="utf-8")
    text = 'use own from "own.arch"\nnet f {\n  input 3x8x8\n  own\n}\n'
    (tmp_path / "a.arch").write_text(text, encoding="utf-8")
    (finding,) = found(archdsl.load(tmp_path / "a.arch"), frozenset(["bias-before-norm"]))
    assert (Path(finding.span.source.name).name, finding.span.line) == ("own.arch", 3)
    assert finding.fix is not None


def test_a_comment_at_that_line_switches_it_off_and_is_used() -> None:
    switched = INSIDE.replace(" as body", " as body  # lint: off saturated-field - small on purpose")
    assert [each.code for each in found(archdsl.parse(switched))] == []
    idle = INSIDE.replace(" as body", " as body  # lint: off heavy-flatten")
    assert "unused-switch" in [each.code for each in found(archdsl.parse(idle))]


def test_what_the_shipped_file_switches_off_stays_off() -> None:
    text = INSIDE.replace("resnet18", "squeezenet1_0").replace("75x75", "64x64")
    assert not found(archdsl.parse(text), frozenset(["dropped-pixels"]))


def test_labels_in_files_that_the_reader_lacks_are_notes() -> None:
    text = "net f {\n  input 3x64x64\n  pretrained resnet18(until=layer4.1.bn2) as body\n  conv 8\n}\n"
    finding = next(
        each for each in found(archdsl.parse(text)) if each.code == "linear-after-linear" and each.span.line == 4
    )
    assert all(label.span.source is finding.span.source for label in finding.labels)
    assert any(note.startswith("resnet.arch:") for note in finding.notes)


def test_other_formats_name_the_readers_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.arch"
    path.write_text(INSIDE, encoding="utf-8")
    lines = CliRunner().invoke(app, ["lint", str(path), "--format", "github"]).stdout.splitlines()
    assert lines
    assert all("a.arch,line=3," in line for line in lines)
    sarif = CliRunner().invoke(app, ["lint", str(path), "--format", "sarif"]).stdout
    results = json.loads(sarif)["runs"][0]["results"]
    assert results
    assert "resnet.arch" not in json.dumps([each.get("locations") for each in results])
