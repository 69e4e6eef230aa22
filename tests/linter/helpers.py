"""What the tests of the linter share: a network's findings with all rules on."""

from __future__ import annotations

import archdsl
from archdsl.diagnostics import Diagnostic
from archdsl.linter.lint import findings
from archdsl.linter.model import Options
from archdsl.linter.rules import SLUGS

ALL = frozenset(SLUGS)


def net(body: str, input: str = "3x32x32", head: str = "") -> archdsl.Network:
    """A network of some lines."""
    found = archdsl.parse(f"{head}\nnet a {{\n  input {input}\n  {body}\n}}\n")
    assert not found.diagnostics, found.diagnostics
    return found


def found(network: archdsl.Network, rules: frozenset[str] = ALL, options: Options | None = None) -> list[Diagnostic]:
    """All that the linter finds in a network, unused switches as well."""
    looked = network.looked_at(rules, options or Options())
    return list(findings([looked], [network.module.source.name]))


def codes(body: str, input: str = "3x32x32", head: str = "") -> list[str]:
    """The rules that find something, in the order of the text."""
    return [finding.code for finding in found(net(body, input, head))]


def one(rule: str, body: str, input: str = "3x32x32", head: str = "") -> Diagnostic:
    """The only finding of a rule."""
    (finding,) = [each for each in found(net(body, input, head)) if each.code == rule]
    return finding


def finds(rule: str, body: str, input: str = "3x32x32", head: str = "") -> bool:
    """Whether a rule finds something."""
    return rule in codes(body, input, head)
