"""Text of a spec is only text: in no output does it become markup, a command, a formula or code.

The same network is written twice, once with harmless texts and once with hostile ones, in doc comments, strings,
comments and the file's name. What comes out must have the same structure both times.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from archdsl import project
from archdsl.diagnostics import as_json, github, sarif, text
from archdsl.diagrams.dot import dot
from archdsl.diagrams.scene import scene
from archdsl.layers.catalog import STANDARD
from archdsl.network import Network
from archdsl.reports import FORMATS, renderer
from archdsl.source import Source

PLAIN = "two words"
HOSTILE = {
    "Python strings": "''' + __import__('os').system('id') + ''' \"\"\"); import os; os.system('id') #",
    "backslashes": "\\ \\\\ \\\"\"\" \\N{BULLET} \\x41 \\u0041 \\U00000041 \\",
    "format strings": "{self} {0.__class__} {{x}} %s %(a)s %n ${HOME} $(id) `id`",
    "tags": "<script>alert(1)</script> <img src=x onerror=alert(1)> </td></table><b> <!-- --> ]]> &lt;b&gt;;&#60;",
    "attributes": "\" onload=\"alert(1) ' onclick='alert(1)' style=x:expression(1)",
    "a link": "[a](javascript:alert(1)) ![a](http://e.example/x.png) <http://e.example> | a | b | ~~~ ``` # - * _",
    "LaTeX": "\\input{/etc/passwd} \\write18{id} \\end{tabular} $x^2$ % & ~ # _ { } ^^5c \\\\",
    "formulas": "=HYPERLINK(\"http://e.example\") +1+1 -1 @SUM(A1) \t=1 ;=1",
    "DOT": "\"]; evil [label=\"x\"]; \\N \\G \\E \\l } subgraph cluster_x { <TABLE> <IMG SRC=\"/etc/passwd\"/> ",
    "GitHub commands": "::error file=a::x %0A::set-output name=a::b %25 ::stop-commands::x",
    "terminals": "\x1b[31mred \x1b]0;title\x07 \x1b]8;;http://e.example\x07 \x9b31m \x08\x08\x7f",
    "directions": "\u202etxet\u202c \u2066a\u2069 \u200b\u200d\ufeff \u2028 \u2029 \x85 \x0b \x0c",
    "a formula at the start": "=1+1",
    "a minus at the start": "-1+1|cmd",
    "an at at the start": "@SUM(1)",
    "JSON": "\",\"evil\":true,\"x\":\" \\u0000 </script>",
    "other planes": "\U0001f600 \U000e0041 \ufffe \U0010ffff é é",
}  # fmt: skip


def in_a_spec(words: str) -> tuple[str, str]:
    """The words as a comment may have them, and as a string may."""
    line = re.sub(r"[\r\n]", " ", words)
    return line, line.replace('"', "'")


def network(words: str) -> Network:
    line, string = in_a_spec(words)
    spec = (
        f'## {line}\n## {line}\nnet n(s="{string}") {{\n  ## {line}\n  input image : 8x8x8\n'
        f'  b("{string}") as first   # {line}\n  b(s) -> relu\n  ## {line}\n  output first\n}}\n'
        f"## {line}\nblock b(s) {{ conv 8 k1 -> relu as inner }}\n"
    )
    module = project.open_source(Source(f"a {line}.arch", spec))
    return Network(module, "n", STANDARD)


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest) -> Network:
    made = network(HOSTILE[request.param])
    assert made.ok, [str(finding) for finding in made.diagnostics]
    return made


def controls(shown: str) -> list[str]:
    """Characters that a terminal or a reader of the page obeys."""
    return [c for c in shown if c != "\n" and not c.isprintable()]


# ---------------------------------------------------------------- Python


def code(source: str) -> str:
    """The program without its documentation."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.dump(tree)


def test_the_generated_program_is_the_same(hostile: Network) -> None:
    assert code(hostile.source()) == code(network(PLAIN).source())
    assert controls(hostile.source()) == []
    assert len(hostile.source().splitlines()) == len(network(PLAIN).source().splitlines())


def test_the_package_evaluates_and_unpickles_nothing() -> None:
    """But for the generated program, which torch/execute.py runs; of weights nothing but tensors is unpickled."""
    refused = {"eval", "exec", "__import__", "compile", "loads", "load_module", "system", "popen", "literal_eval"}
    modules = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "ctypes", "yaml"}
    found = []
    package = Path(project.__file__).parent
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ""
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                owner = node.func.value if isinstance(node.func, ast.Attribute) else None
                harmless = {("json", "loads"), ("tomllib", "loads"), ("re", "compile")}
                if isinstance(owner, ast.Name) and (owner.id, name) in harmless:
                    continue
                if owner is not None and name in ("eval", "compile") and not node.args:  # module.eval()
                    continue
                if any(keyword.arg == "shell" for keyword in node.keywords):
                    found.append((path.name, "shell"))
                of_torch = isinstance(owner, ast.Name) and (owner.id, name) == ("torch", "load")
                reads = of_torch or name == "load_state_dict_from_url"
                only = [k.value for k in node.keywords if k.arg == "weights_only"]
                if reads and not (len(only) == 1 and isinstance(only[0], ast.Constant) and only[0].value is True):
                    found.append((path.name, name))
            if name in refused and not (name == "compile" and path.parent.name not in ("torch", "archdsl")):
                found.append((path.name, name))
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [(path.name, each) for each in imported if each.partition(".")[0] in modules]
    assert sorted(set(found)) == [("execute.py", "compile"), ("execute.py", "exec")]


# ---------------------------------------------------------------- reports


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[Any] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(tag)

    def handle_comment(self, data: str) -> None:
        self.seen.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.seen.append("declaration")


def tags(page: str) -> list[Any]:
    parser = Tags()
    parser.feed(page)
    parser.close()
    return parser.seen


@pytest.mark.parametrize("format", FORMATS)
def test_no_report_holds_a_control_character(hostile: Network, format: str) -> None:
    assert controls(renderer(format)(hostile.report())) == []


def test_html_has_the_same_tags(hostile: Network) -> None:
    assert tags(renderer("html")(hostile.report())) == tags(renderer("html")(network(PLAIN).report()))
    drawn, plain = ({tag for tag in tags(made._repr_html_()) if tag} for made in (hostile, network(PLAIN)))
    assert {tag if isinstance(tag, str) else tag[0] for tag in drawn} == {
        tag if isinstance(tag, str) else tag[0] for tag in plain
    }
    assert not [name for tag in drawn if not isinstance(tag, str) for name in tag[1] if name.startswith("on")]


def keys(value: Any) -> Any:
    """What is left of data without its texts and numbers."""
    if isinstance(value, dict):
        return {key: keys(inner) for key, inner in value.items()}
    return [keys(inner) for inner in value] if isinstance(value, list) else type(value)


def test_json_has_the_same_keys(hostile: Network) -> None:
    assert keys(json.loads(renderer("json")(hostile.report()))) == keys(
        json.loads(renderer("json")(network(PLAIN).report()))
    )


def test_csv_has_the_same_cells_and_no_formula(hostile: Network) -> None:
    rows = list(csv.reader(io.StringIO(renderer("csv")(hostile.report()))))
    plain = list(csv.reader(io.StringIO(renderer("csv")(network(PLAIN).report()))))
    assert [len(row) for row in rows] == [len(row) for row in plain]
    for cell in (cell for row in rows for cell in row):
        assert not re.match(r"[=+@\t\r]|-(?![\d.])", cell), cell


@pytest.mark.parametrize("format", ["markdown", "latex", "table"])
def test_a_table_has_the_same_rows(hostile: Network, format: str) -> None:
    def rows(made: Network) -> int:
        shown = renderer(format)(made.report())
        if format == "latex":
            return len(re.findall(r"(?<!\\)\\\\(?!\w)", shown))
        if format == "markdown":
            return len([line for line in shown.splitlines() if line.startswith("|")])
        return len([line for line in shown.splitlines() if "conv1" in line or "relu1" in line])

    assert rows(hostile) == rows(network(PLAIN))


def test_latex_has_no_command_of_the_spec(hostile: Network) -> None:
    def commands(made: Network) -> set[str]:
        shown = renderer("latex")(made.report())
        return set(re.findall(r"(?<!\\)\\([a-z]+)", shown))

    added = commands(hostile) - commands(network(PLAIN))
    assert all(command.startswith("text") for command in added), added  # \textless and its like, for one character


# ---------------------------------------------------------------- diagrams


def test_dot_has_the_same_graph(hostile: Network) -> None:
    pygraphviz = pytest.importorskip("pygraphviz")
    graph, plain = (pygraphviz.AGraph(string=dot(scene(made, None))) for made in (hostile, network(PLAIN)))
    assert sorted(graph.nodes()) == sorted(plain.nodes())
    assert sorted(graph.edges()) == sorted(plain.edges())
    assert [each.name for each in graph.subgraphs()] == [each.name for each in plain.subgraphs()]
    for node in graph.nodes():
        assert sorted(dict(graph.get_node(node).attr)) == sorted(dict(plain.get_node(node).attr))


def test_svg_has_the_same_elements(hostile: Network, tmp_path: Path) -> None:
    def elements(made: Network) -> list[tuple[str, list[str]]]:
        root = ET.fromstring(made.draw(tmp_path / "net.svg", depth=1).read_text(encoding="utf-8"))
        found = [(each.tag.rpartition("}")[2], sorted(each.attrib)) for each in root.iter()]
        return [each for each in found if each[0] in ("a", "image", "script", "style", "foreignObject", "use", "set")]

    found = elements(hostile)
    assert {tag for tag, _ in found} <= {"a"}
    assert found == elements(network(PLAIN))
    assert all(not name.startswith("on") and "href" not in name for _, names in found for name in names)


# ---------------------------------------------------------------- findings


def findings(words: str) -> tuple[Any, ...]:
    line, string = in_a_spec(words)
    spec = f'net n {{\n  input 8x8x8 # {line}\n  conv "{string}"   # {line}\n'
    spec += f'  conv 8 padding="{string}"\n  relu as a{{"{string}"}}\n}}\n'
    module = project.open_source(Source(f"a {line}.arch", spec))
    return Network(module, "n", STANDARD).diagnostics


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
def test_findings_are_only_text(words: str) -> None:
    found, plain = findings(words), findings(PLAIN)
    assert [finding.code for finding in found] == [finding.code for finding in plain]
    assert len(found) == 3
    assert controls(text.render(found)) == []
    colored = re.sub(r"\x1b\[[\d;]*m", "", text.render(found, color=True))
    assert controls(colored) == []
    commands = github.render(found)
    assert controls(commands) == []
    assert [line.partition(" ")[0] for line in commands.splitlines()] == ["::error"] * 3
    for module in (as_json, sarif):
        printed = module.render(found)
        assert controls(printed) == []
        assert keys(json.loads(printed)) == keys(json.loads(module.render(plain)))
