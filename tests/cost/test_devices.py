"""The table of devices against the sheets that it cites, and devices that users describe."""

from __future__ import annotations

from pathlib import Path

import pytest

from archdsl.analyses import devices as module
from archdsl.analyses.devices import DTYPES, Device, device, devices, quantity
from archdsl.errors import ArchError, NotFoundError

T = 1e12

# What the datasheets print, in 1e12 operations a second: with sparsity where a 2 stands behind it.
SHEETS = {
    "h200": {
        "float64": (34, 1),
        "float32": (67, 1),
        "tf32": (989, 2),
        "bfloat16": (1979, 2),
        "float16": (1979, 2),
        "float8": (3958, 2),
        "int8": (3958, 2),
    },
    "a100": {
        "float64": (9.7, 1),
        "float32": (19.5, 1),
        "tf32": (312, 2),
        "bfloat16": (624, 2),
        "float16": (624, 2),
        "int8": (1248, 2),
    },
    "l40s": {
        "float32": (91.6, 1),
        "tf32": (366, 2),
        "bfloat16": (724.1, 2),
        "float16": (724.1, 2),
        "float8": (1466, 2),
        "int8": (1466, 2),
    },
    "t4": {"float32": (8.1, 1), "float16": (65, 1), "int8": (130, 1)},
}
BANDWIDTHS = {"h200": 4.8 * T, "h100": 3.35 * T, "a100": 2.039 * T, "a100-40gb": 1.555 * T, "v100": 0.9 * T}


@pytest.mark.parametrize("name", SHEETS)
def test_rates_are_those_of_the_datasheet_without_sparsity(name: str) -> None:
    assert devices()[name].peak == pytest.approx({dtype: T * rate / by for dtype, (rate, by) in SHEETS[name].items()})


def test_bandwidths_are_those_of_the_datasheet() -> None:
    assert {name: devices()[name].bandwidth for name in BANDWIDTHS} == pytest.approx(BANDWIDTHS)
    assert devices()["h200"].memory == 141e9


def test_every_device_is_sound() -> None:
    names = [name for each in devices().values() for name in (each.name, *each.aliases)]
    assert len(names) == len({module._plain(name) for name in names})
    for each in devices().values():
        assert each.title
        assert each.source
        assert each.url.startswith("https://")
        assert each.memory
        rates = {str(dtype): rate for dtype, rate in each.peak.items()}
        assert set(rates) <= set(DTYPES)
        assert 1 < max(rates.values()) / each.bandwidth < 2000, "the ridge of every device is within these"
        # Half the bits, at least the rate: a slip of a digit would show.
        order = [rates[dtype] for dtype in ("float64", "float32", "tf32", "float16", "float8") if dtype in rates]
        assert order == sorted(order)
        if "bfloat16" in rates:
            assert rates["bfloat16"] == rates["float16"]
        if {"float8", "float16"} <= set(rates):
            assert rates["float8"] == pytest.approx(2 * rates["float16"], rel=0.02)
        if {"tf32", "bfloat16"} <= set(rates):
            assert rates["bfloat16"] == pytest.approx(2 * rates["tf32"], rel=0.02)


@pytest.mark.parametrize(
    ("given", "name"),
    [("h200", "h200"), ("H200", "h200"), ("RTX 4090", "rtx-4090"), ("rtx_4090", "rtx-4090"), ("a100-80GB", "a100")],
)
def test_a_device_is_found_however_its_name_is_written(given: str, name: str) -> None:
    assert device(given).name == name


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(NotFoundError, match="did you mean h100"):
        device("h10")
    with pytest.raises(NotFoundError, match=r"there are h200, h100, .*, or a file device\.toml"):
        device("abacus")


@pytest.mark.parametrize(
    ("given", "number"),
    [("10T", 1e13), ("4.8T", 4.8e12), ("4.8e12", 4.8e12), ("1.5 G", 1.5e9), (2, 2.0), (1e9, 1e9), ("3P", 3e15)],
)
def test_quantities(given: object, number: float) -> None:
    assert quantity(given) == pytest.approx(number)


@pytest.mark.parametrize(
    "given",
    [
        *("", "T", "-1T", "0", "0T", "1e999", "nan", "inf", "1TB", "1,000", "1_000", "9" * 31, "1" + "e9" * 9, "１T"),
        *(True, None, [1], -1, 0, 1e25, float("nan"), float("inf"), 10**400),
    ],
)
def test_what_is_no_quantity(given: object) -> None:
    with pytest.raises((ValueError, OverflowError)):
        quantity(given)


# ---------------------------------------------------------------- files of users

GOOD = 'title = "mine"\nbandwidth = "500G"\npeak = { float32 = 1e13, float16 = "20T" }\n'


def test_a_file_describes_a_device(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    for given in (str(tmp_path / "mine.toml"), tmp_path / "mine.toml"):
        found = device(given)
        assert (found.name, found.bandwidth, found.rate("float16")) == ("mine", 5e11, 2e13)
    assert device(found) is found
    (tmp_path / "mine.TOML").write_text(f'name = "other"\n{GOOD}')
    assert device(str(tmp_path / "mine.TOML")).name == "other"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "bandwidth is missing"),
        ('bandwidth = "1T"\n', "peak is missing"),
        ('bandwidth = "1T"\npeak = {}\n', "peak must give a rate for at least one type"),
        ('bandwidth = "1T"\npeak = 5\n', "peak input should be a valid dictionary"),
        ('bandwidth = "-1T"\npeak = { float32 = 1 }\n', 'bandwidth must be a number above 0, like 4.8e12 or "4.8T"'),
        ("bandwidth = nan\npeak = { float32 = 1 }\n", "bandwidth must be a number above 0"),
        ('bandwidth = "1T"\npeak = { float32 = -5 }\n', "peak.float32 must be a number above 0"),
        ('bandwidth = "1T"\npeak = { float32 = 0 }\n', "peak.float32 must be a number above 0"),
        ('bandwidth = "1T"\npeak = { float32 = 1e999 }\n', "peak.float32 must be a number above 0"),
        (f'bandwidth = "1T"\npeak = {{ float32 = {"9" * 400} }}\n', "peak.float32 must be a number above 0"),
        ('bandwidth = "1T"\npeak = { float31 = 1 }\n', "peak.float31 is no type; there are float64, float32"),
        (GOOD + 'colour = "red"\n', "colour is not known; a device has name, title"),
        (GOOD + f'name = "{"x" * 101}"\n', "name string should have at most 100 characters"),
        ("bandwidth = \n", "is not TOML"),
        ("\x00", "is not TOML"),
        ("[" * 5000, "is not TOML"),
        ("a = " + "[" * 20_000, "is not TOML"),
        ("# " + "x" * 64_000, "at most 64,000 bytes"),
    ],
)
def test_a_file_that_describes_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ArchError) as problem:
        device(path)
    assert said in str(problem.value)
    assert str(path) in str(problem.value)
    assert len(str(problem.value)) < 600


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ArchError, match="is not TOML"):
        device(tmp_path / "mine.toml")
    with pytest.raises(NotFoundError, match="there is no such file"):
        device(tmp_path / "other.toml")
    with pytest.raises(NotFoundError, match="there is no such file"):
        device("nul\0l.toml")


def test_a_rate_that_is_not_known() -> None:
    with pytest.raises(ArchError, match="mine has no peak rate for tf32; it has float32"):
        Device(name="mine", bandwidth=1.0, peak={"float32": 1.0}).rate("tf32")
