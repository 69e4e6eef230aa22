"""Numbers are short, exact where it counts, and never pretend."""

from __future__ import annotations

import pytest

import archdsl
from archdsl.reports import numbers, renderer
from archdsl.reports.schema import FieldReport


@pytest.mark.parametrize(
    ("number", "written"),
    [
        *((None, "?"), (0, "-"), (7, "7"), (999, "999"), (1000, "1.00 K"), (9_408, "9.41 K"), (11_689_512, "11.7 M")),
        *(
            (118_013_952, "118 M"),
            (999_499, "999 K"),
            (999_500, "1.00 M"),
            (4_089_184_256, "4.09 G"),
            (2 * 10**18, "2000 P"),
        ),
    ],
)
def test_engineering(number: int | None, written: str) -> None:
    assert numbers.engineering(number) == written


@pytest.mark.parametrize(
    ("number", "written"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (102_228_128, "97.5 MiB"), (2**20 - 1, "1.00 MiB")],
)
def test_binary_bytes(number: int, written: str) -> None:
    assert numbers.binary_bytes(number) == written


def test_thousands() -> None:
    assert [numbers.thousands(number) for number in (None, 0, 11_689_512)] == ["?", "-", "11,689,512"]


@pytest.mark.parametrize(
    ("share", "written"), [(None, ""), (0, ""), (0.0001, "<0.1%"), (0.004, "0.4%"), (0.12, "12%"), (1, "100%")]
)
def test_percent(share: float | None, written: str) -> None:
    assert numbers.percent(share) == written


@pytest.mark.parametrize(
    ("size", "stride", "written"),
    [((43, 43), (4, 4), "43 /4"), ((43, 1), (4, 2), "43x1 /4x2"), ((7,), (1,), "7"), ((9, 9), (0.5, 0.5), "9 /0.5")],
)
def test_field(size: tuple[int, ...], stride: tuple[int | float, ...], written: str) -> None:
    region = FieldReport(size=size, stride=stride, padding=(0,) * len(size))
    assert numbers.field(region) == written
    assert numbers.field(region, "gap") == written + "*"


def test_field_without_a_place() -> None:
    assert (numbers.field(None), numbers.field(None, "gap")) == ("", "all")


def test_shapes() -> None:
    assert numbers.shapes((64, "H", "?")) == "64xHx?"
    assert numbers.shapes(()) == "scalar"
    assert numbers.shapes((8,), ((8,), (4,), (2,))) == "8 +2"


def test_clean_text_stays_on_its_line_and_steers_nothing() -> None:
    assert numbers.clean("a\nb\x1b[31m\u202e\ud800") == r"a b\x1b[31m\u202e\ud800"
    assert numbers.clean("é 卷积 ×") == "é 卷积 ×"


@pytest.mark.parametrize(
    ("sizes", "written"),
    [
        ((), "scalar"),
        ((64, 56, 56), "64x56x56"),
        ((3, "H", "W"), "3xHxW"),
        ((3, "?", 8), "3x?x8"),
        ((64, "H/2", "ceil(W/2)"), "64 x H/2 x ceil(W/2)"),
        ((2, "2*floor(H/4) + 1", "(W - 12)/16"), "2 x (2*floor(H/4) + 1) x (W - 12)/16"),
        ((2, "floor((H - 31)/32)", 7), "2 x floor((H - 31)/32) x 7"),
    ],
)
def test_sizes_with_formulas_stand_apart_and_only_sums_in_brackets(sizes: tuple[int | str, ...], written: str) -> None:
    assert numbers.shape(sizes) == written


def test_a_map_without_one_field_says_so() -> None:
    assert numbers.field(None, None, (8, 4, 4)) == "mixed"
    assert numbers.field(None, "gap1", (8, 4, 4)) == "all"
    assert numbers.field(None, None, (8,)) == ""


def test_the_table_has_open_sizes_whole_where_there_is_room() -> None:
    """The bars make way for them, and the names before them where even that is not enough."""
    report = archdsl.load("examples/pyramid.arch").report()
    whole = "512 x ceil(H/32) x ceil(W/32)"
    wide, middle, narrow = (renderer("table")(report, width=width, depth=0) for width in (160, 100, 72))
    assert whole in wide
    assert "█" in wide
    assert whole in middle
    assert "█" not in middle
    assert whole not in narrow
    assert "no one field" in wide
    assert all(len(line) <= 100 for line in middle.splitlines())
