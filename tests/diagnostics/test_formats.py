"""JSON, SARIF and GitHub's commands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from archdsl.diagnostics import Diagnostic, Fix, Label, as_json, error, github, sarif
from archdsl.source import Source, Span

from .findings import RESNET, at, merge_shapes, of_many_files

ASTRAL = Source("a.arch", "# 🎈🎈\n🎈x = y\n")


def astral() -> Diagnostic:
    return error("syntax", "m", at(ASTRAL, "x"), fix=Fix(at(ASTRAL, "y"), "z"))


# ---------------------------------------------------------------- JSON


def test_json_is_what_its_schema_says() -> None:
    diagnostics = [merge_shapes(), of_many_files(), astral()]
    text = as_json.render(diagnostics)
    record = as_json.FindingsRecord.model_validate_json(text)
    assert (record.schema_version, record.errors, record.warnings) == ("1.0", 2, 1)
    assert json.loads(text)["findings"] == as_json.to_records(diagnostics)


def test_a_finding_as_a_record() -> None:
    record = as_json.to_records([merge_shapes()])[0]
    assert record["file"] == "resnet.arch"
    assert record["start"] == {"line": 4, "column": 8, "offset": RESNET.text.index("add")}
    assert record["end"] == {"line": 4, "column": 11, "offset": RESNET.text.index("add") + 3}
    assert record["labels"][1]["text"] == "this branch gives 64x56x56"
    assert record["labels"][1]["start"]["line"] == 3
    assert record["fix"] is None
    assert record["page"] == "archdsl explain merge-shapes"


def test_a_code_without_a_page_has_none() -> None:
    assert as_json.to_records([error("no-such-code", "m", Span(ASTRAL, 0, 0))])[0]["page"] is None


def test_json_counts_columns_in_characters() -> None:
    assert as_json.to_records([astral()])[0]["start"] == {"line": 2, "column": 2, "offset": 6}


def test_every_field_of_the_schema_that_needs_words_has_them() -> None:
    schema = as_json.FindingsRecord.model_json_schema()
    assert schema["$defs"]["PositionRecord"]["properties"]["column"]["description"].startswith("column, counted from 1")
    assert all(record.get("description") for record in schema["$defs"].values())


# ---------------------------------------------------------------- SARIF


def run(*diagnostics: Diagnostic) -> dict[str, Any]:
    log = json.loads(sarif.render(diagnostics))
    assert log["version"] == "2.1.0"
    assert len(log["runs"]) == 1
    only: dict[str, Any] = log["runs"][0]
    return only


def test_sarif_has_the_required_parts() -> None:
    log = run(merge_shapes(), of_many_files(), merge_shapes())
    driver = log["tool"]["driver"]
    assert driver["name"] == "archdsl"
    assert [rule["id"] for rule in driver["rules"]] == ["merge-shapes", "unused-value"]
    assert all(rule["help"]["text"].startswith(f"# {rule['id']}\n") for rule in driver["rules"])
    assert log["columnKind"] == "utf16CodeUnits"
    for result in log["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["level"] in ("error", "warning")
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] >= 1


def test_sarif_places_labels_and_fixes() -> None:
    merged, many = run(merge_shapes(), of_many_files())["results"]
    region = merged["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 4, "startColumn": 8, "endLine": 4, "endColumn": 11}
    assert [related["id"] for related in merged["relatedLocations"]] == [1, 2]
    assert many["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "parts/blocks.arch"
    change = many["fixes"][0]["artifactChanges"][0]
    assert change["replacements"][0]["insertedContent"]["text"] == "conv 64 k7 s2 p3 as stem\n  stem"
    assert change["replacements"][0]["deletedRegion"]["startLine"] == 9


def test_sarif_counts_columns_in_utf16_units() -> None:
    region = run(astral())["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 2, "startColumn": 3, "endLine": 2, "endColumn": 4}


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("a b/ü#?.arch", "a%20b/%C3%BC%23%3F.arch"),
        ("a\n%.arch", "a%0A%25.arch"),
        ("c:d.arch", "c%3Ad.arch"),
        ("\udcff.arch", "%FF.arch"),
        ("/tmp/a b.arch", "file:///tmp/a%20b.arch"),
    ],
)
def test_sarif_encodes_uris(name: str, uri: str) -> None:
    result = run(error("syntax", "m", Span(Source(name, ""), 0, 0)))["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_sarif_messages_hold_no_links_of_the_spec() -> None:
    text = run(error("syntax", "see [here](https://evil.example)", Span(ASTRAL, 0, 0)))["results"][0]["message"]["text"]
    assert "](" not in text


# ---------------------------------------------------------------- GitHub


def test_github_command() -> None:
    assert github.render([merge_shapes()]) == (
        "::error file=resnet.arch,line=4,endLine=4,col=8,endColumn=11,title=archdsl merge-shapes::"
        "add needs equal shapes, got 128x28x28 and 64x56x56"
        "%0Aresnet.arch:2:55: this branch gives 128x28x28"
        "%0Aresnet.arch:3:5: this branch gives 64x56x56"
        "%0A128 comes from conv at 2:5"
        "%0A64 comes from conv at 9:3"
        "%0A28 comes from conv at 2:5: floor((56 + 2*1 - 3) / 2) + 1 = 28"
        "%0A56 comes from pool at 10:3: floor((112 + 2*1 - 3) / 2) + 1 = 56"
        "%0Ain basic(128, s=2), written at resnet.arch:12:4, as layer2.0"
        "%0Ahelp: give the second branch `conv 128 k1 s2`\n"
    )


def test_github_gives_no_columns_for_a_place_over_lines() -> None:
    assert "file=a.arch,line=1,endLine=2,title" in github.render([error("syntax", "m", Span(ASTRAL, 0, 6))])


@pytest.mark.parametrize(
    "text", ["x\n::set-output name=a::b", "x\r::stop-commands::t", "x%0A::error::", "\u2028::error::"]
)
def test_github_commands_cannot_be_smuggled_in(text: str) -> None:
    source = Source(f"{text},line=1:.arch", "x")
    finding = error(
        "syntax",
        text,
        Span(source, 0, 1),
        label=text,
        labels=[Label(Span(source, 0, 1), text)],
        notes=[text],
        help=text,
    )
    out = github.render([finding])
    assert out.count("\n") == 1
    assert len(out.splitlines()) == 1
    assert out.startswith("::error file=")
    properties = out.split("::")[1]
    assert properties.count(",line=") == 1
    assert "%0A::" not in out.replace("%250A", "")


def test_github_keeps_the_name_of_the_file() -> None:
    place = Span(Source("a\n,b:c%.arch", ""), 0, 0)
    assert github.render([error("syntax", "m", place)]).startswith("::error file=a%0A%2Cb%3Ac%25.arch,line=1,")


# ---------------------------------------------------------------- all


@pytest.mark.parametrize("module", [as_json, sarif, github])
def test_lone_surrogates_and_controls_can_be_printed_anywhere(module: Any) -> None:
    bad = "\ud800\x1b[31m\u202e"
    source = Source(f"\udcff{bad[1:]}", bad)
    place = Span(source, 0, len(bad))
    finding = error(
        "syntax", bad, place, label=bad, labels=[Label(place, bad)], notes=[bad], help=bad, fix=Fix(place, bad)
    )
    text = module.render([finding])
    text.encode("utf-8")
    assert "\x1b" not in text
    if module is not github:
        json.loads(text)
        assert text.isascii()


def test_no_findings() -> None:
    assert json.loads(as_json.render([]))["findings"] == []
    assert run()["results"] == []
    assert github.render([]) == ""
