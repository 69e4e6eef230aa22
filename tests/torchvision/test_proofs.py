"""Every network of torchvision that ships here is torchvision's own, in all that the page says."""

from __future__ import annotations

from fnmatch import fnmatchcase

import page
import proofs
import pytest
from lines import families, lines_of_python, lines_of_spec
from special import SPECIAL, Case, cases, special
from torch import nn

import archdsl

FORMS = [
    pytest.param(name, variant, id=f"{name} {variant}".strip()) for name in proofs.NAMES for variant in cases(name)
]

each_net = pytest.mark.parametrize("name", proofs.NAMES)
each_form = pytest.mark.parametrize(("name", "variant"), FORMS)


def test_every_network_that_torchvision_has_is_compared_here() -> None:
    assert len(proofs.CLASSIFIERS) >= 80
    assert len(proofs.SEGMENTERS) >= 6
    assert {"r3d_18", "mc3_18", "r2plus1d_18", "s3d"} <= set(proofs.CONVOLUTIONAL)
    assert set(proofs.NAMES) == set(proofs.ALL)


def test_what_is_special_is_of_a_network_that_is_compared() -> None:
    for pattern in SPECIAL:
        assert any(special(name) is SPECIAL[pattern] for name in proofs.NAMES if fnmatchcase(name, pattern)), pattern


@each_net
def test_parameters_and_multiplications_are_those_of_the_published_weights(name: str) -> None:
    parameters, macs = proofs.counts(name)
    row = page.rows_of(page.PAGE.read_text(encoding="utf-8"))[name]
    assert row[:2] == (f"{parameters:,}", f"{macs:.3f}"), "run `python -m tests.torchvision --write`"


@each_form
def test_the_state_has_their_names_in_their_order(name: str, variant: str) -> None:
    proofs.keys(name, variant)


@each_form
def test_their_weights_load_as_they_are_and_give_the_same_bits(name: str, variant: str) -> None:
    proofs.bits(name, variant)


@each_net
def test_a_forward_calls_no_more_functions(name: str) -> None:
    proofs.calls(name)


@each_form
def test_a_training_step_gives_the_same_gradients_and_statistics(name: str, variant: str) -> None:
    proofs.gradients(name, variant)


@each_form
def test_a_training_step_runs_the_same_operators_one_by_one(name: str, variant: str) -> None:
    """Or those that special.py gives a reason for; what draws random numbers is the same in any case."""
    proofs.structure(name, variant)
    proofs.operators(name, variant)


# ---------------------------------------------------------------- the proofs can fail


def refused(name: str, spec: dict[str, object], proof: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a proof says where the spec is built with other arguments."""
    monkeypatch.setattr(proofs, "ours", lambda name, case, build=proofs.ours: build(name, Case({**case.spec, **spec})))
    proofs.steps.cache_clear()
    with pytest.raises((AssertionError, RuntimeError)) as problem:
        proofs.EACH[proof](name, "")
    proofs.steps.cache_clear()
    return str(problem.value)


@pytest.mark.parametrize(
    ("proof", "spec", "says"),
    [
        ("keys", {"stages": [[16, 16, 32], [32, 48, 48], [64]]}, "stands where theirs has"),
        ("keys", {"classes": 10}, "classifier.1.weight"),
        ("bits", {"classes": 10}, "size mismatch"),
        ("gradients", {"dropout_rate": 0.4}, "results of training differ"),
        ("structure", {"dropout_rate": 0.4}, "random numbers"),
        ("structure", {"dropout_rate": 0}, "random numbers"),
        ("operators", {"dropout_rate": 0.4}, "operator"),
    ],
)
def test_a_proof_refuses_another_network(
    proof: str, spec: dict[str, object], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert says in refused("squeezenet1_0", spec, proof, monkeypatch)


def test_the_counts_refuse_another_network(monkeypatch: pytest.MonkeyPatch) -> None:
    load = archdsl.load
    monkeypatch.setattr(archdsl, "load", lambda name, **sized: load(name, classes=999, **sized))
    with pytest.raises(AssertionError, match="1,247,911 parameters, theirs 1,248,424"):
        proofs.counts("squeezenet1_0")


def test_the_counts_refuse_a_size_that_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    load = archdsl.load
    monkeypatch.setattr(archdsl, "load", lambda name, **sized: load(name, **(sized or {"input": "3x192x192"})))
    with pytest.raises(AssertionError, match="as it is written it is none of them"):
        proofs.counts("squeezenet1_0")


def test_bits_and_gradients_are_refused_where_a_layer_does_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(name: str, case: Case, build: object = proofs.ours) -> nn.Module:
        model = archdsl.load(name, **case.spec).compile()
        model.features[2] = nn.AvgPool2d(3, 2, ceil_mode=True)
        return model.to("meta")

    monkeypatch.setattr(proofs, "ours", changed)
    with pytest.raises(AssertionError, match="results differ by up to"):
        proofs.bits("squeezenet1_0")
    with pytest.raises(AssertionError, match="results of training differ"):
        proofs.gradients("squeezenet1_0")


def test_gradients_are_refused_where_only_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    both = proofs.both

    def hooked(name: str, variant: str) -> tuple[nn.Module, nn.Module]:
        reference, model = both(name, variant)
        model.features[0].weight.register_hook(lambda gradient: 1.01 * gradient)
        return reference, model

    monkeypatch.setattr(proofs, "both", hooked)
    with pytest.raises(AssertionError, match=r"gradients of features.0.weight differ by 1\.0e-02"):
        proofs.gradients("squeezenet1_0")


def test_a_table_shows_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "ours", lambda name, case, build=proofs.ours: build(name, Case({"dropout_rate": 0.4})))
    proofs.steps.cache_clear()
    row = proofs.prove("squeezenet1_0")
    proofs.steps.cache_clear()
    assert row.cells == ("1,248,424", "0.819", "52", "equal", "no", "no", "no")
    assert [failure.split(": ")[1] for failure in row.failures] == ["gradients", "structure", "operators"]


# ---------------------------------------------------------------- the page


def test_the_page_is_up_to_date() -> None:
    """In all that is quickly said; the rest is what the tests above prove."""
    text = page.PAGE.read_text(encoding="utf-8")
    rows = page.rows_of(text)
    assert set(rows) == set(proofs.NAMES), "run `python -m tests.torchvision --write`"
    assert text == page.render(rows), "run `python -m tests.torchvision --write`"
    for name, cells in rows.items():
        assert "no" not in cells
        assert ("others" in cells) == bool(special(name).case.reason), name


def test_every_family_is_shorter_than_theirs() -> None:
    for family in families(proofs.NAMES):
        assert family.lines < family.layers <= family.theirs, family


def test_lines_are_counted_without_blanks_comments_and_docstrings() -> None:
    assert lines_of_spec("# a\n\n## b\nnet a {\n  # c\n  input 3 # d\n}\n") == 3
    text = '"""A\nfile."""\n\nimport os\n\nclass A_Weights:\n    x = 1\n\ndef f():\n    """Text."""\n    # why\n    x\n'
    assert lines_of_python(text) == (5, 2)
