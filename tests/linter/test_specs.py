"""The specs that ship: without findings, or with the reason in a comment."""

from __future__ import annotations

import re

import pytest

import archdsl
from archdsl.cli.targets import modules
from archdsl.linter.lint import findings
from archdsl.linter.model import Options
from archdsl.resources import specs_folder

from .helpers import ALL


def test_the_shipped_specs_have_no_findings() -> None:
    looked, files = [], []
    for module, names, _ in modules([str(specs_folder())]):
        files.append(module.source.name)
        looked += [archdsl.Network(module, name, archdsl.layers.STANDARD).looked_at(ALL, Options()) for name in names]
    assert len(looked) == len(archdsl.shipped_networks())
    assert [str(finding) for finding in findings(looked, files)] == []


def test_each_says_why() -> None:
    comments = [
        line
        for path in specs_folder().glob("*.arch")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"# lint\b", line)
    ]
    assert len(comments) < 30
    assert [line for line in comments if not re.search(r"off [\w, -]+ - \w", line)] == []


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("resnet50", set()),
        ("vgg11", {"heavy-flatten"}),
        ("vgg11_bn", {"bias-before-norm", "heavy-flatten"}),
        ("squeezenet1_0", {"dropped-pixels", "small-field"}),
        ("ssd300_vgg16", {"saturated-field", "unused-taps"}),
        ("deeplabv3_mobilenet_v3_large", {"dropout-before-norm", "norm-of-one-position", "unused-taps"}),
        ("inception_v3", {"norm-of-one-position"}),
        ("mobilenet_v3_small", {"linear-after-linear"}),
        ("unet", {"bias-before-norm"}),
    ],
)
def test_what_the_comments_silence(name: str, rules: set[str]) -> None:
    network = archdsl.load(name)
    assert {hit.rule for hit in network.looked_at(ALL, Options()).hits} == rules
    assert network.lint() == ()
