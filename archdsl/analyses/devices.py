"""Devices by their peak rates and their memory's bandwidth: a table with sources, and what a user gives."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from archdsl.diagnostics.model import nearest
from archdsl.errors import ArchError, NotFoundError

Dtype = Literal["float64", "float32", "tf32", "bfloat16", "float16", "float8", "int8"]
"""A type that is computed in; tf32 is stored as float32."""

DTYPES: Mapping[str, int] = {
    "float64": 8,
    "float32": 4,
    "tf32": 4,
    "bfloat16": 2,
    "float16": 2,
    "float8": 1,
    "int8": 1,
}
"""The bytes of a number of each type."""

assert tuple(DTYPES) == get_args(Dtype)

FILE_BYTES = 64_000
"""The largest file of a device that is read."""

MOST = 1e24
"""The highest rate that is believed."""

_QUANTITY = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?) ?([KMGTPE]?)")
_PREFIXES = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}


def quantity(value: object) -> float:
    """A number above 0, or one with a prefix: 4.8e12, "4.8T".

    Raises:
        ValueError: for anything else.
    """
    number = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, str) and (match := _QUANTITY.fullmatch(value.strip())):
        number = float(match[1]) * _PREFIXES[match[2]]
    if number is None or not isfinite(number) or not 0 < number <= MOST:
        raise ValueError("must be a number above 0, like 4.8e12 or 4.8T")
    return number


def _quantity(value: object) -> float:
    try:
        return quantity(value)
    except (ValueError, OverflowError):
        raise PydanticCustomError("quantity", 'must be a number above 0, like 4.8e12 or "4.8T"') from None


Quantity = Annotated[float, BeforeValidator(_quantity)]


class Device(BaseModel):
    """What runs a network, as far as a roofline asks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(max_length=100)
    title: str = Field("", max_length=200)
    aliases: tuple[str, ...] = ()
    bandwidth: Quantity = Field(description="bytes a second to and from memory")
    memory: Quantity | None = Field(None, description="bytes")
    peak: dict[Dtype, Quantity] = Field(min_length=1, description="operations a second by type, without sparsity")
    source: str = Field("", max_length=500)
    url: str = Field("", max_length=500)
    note: str = Field("", max_length=500)

    def rate(self, dtype: str) -> float:
        """The peak rate for a type.

        Raises:
            ArchError: where it is not known.
        """
        for known, rate in self.peak.items():
            if known == dtype:
                return rate
        raise ArchError(f"{self.name} has no peak rate for {dtype}; it has {', '.join(self.peak)}")


@cache
def devices() -> Mapping[str, Device]:
    """The devices of the table, by name."""
    text = (Path(__file__).parent / "devices.toml").read_text(encoding="utf-8")
    return {name: Device(name=name, **facts) for name, facts in tomllib.loads(text).items()}


def device(given: str | Path | Device) -> Device:
    """A device by its name, or of a file that ends in .toml.

    Raises:
        NotFoundError: where there is none of that name, or no such file.
        ArchError: where the file does not describe one.
    """
    if isinstance(given, Device):
        return given
    if isinstance(given, Path) or given.lower().endswith(".toml"):
        return _read(Path(given))
    table = devices()
    names = {_plain(name): each for each in table.values() for name in (each.name, *each.aliases)}
    found = names.get(_plain(given))
    if found is None:
        near = nearest(given[:100].lower(), table)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(table)}, or a file device.toml"
        raise NotFoundError(f"there is no device called {given[:100]}; {hint}")
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.lower())


def _read(path: Path) -> Device:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES + 1)
    except (FileNotFoundError, ValueError):
        raise NotFoundError(f"cannot read {path}: there is no such file") from None
    if len(content) > FILE_BYTES:
        raise ArchError(f"{path}: a device is described in at most {FILE_BYTES:,} bytes")
    try:
        facts = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise ArchError(f"{path} is not TOML: {str(problem)[:200]}") from None
    return described({"name": path.stem[:100], **facts}, str(path))


def described(facts: Mapping[str, Any], where: str) -> Device:
    """A device of what somebody wrote.

    Raises:
        ArchError: where that does not describe one; `where` says who wrote it.
    """
    try:
        return Device.model_validate(dict(facts))
    except ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != "[key]")
        said = {
            "missing": "is missing",
            "extra_forbidden": f"is not known; a device has {', '.join(Device.model_fields)}",
            "literal_error": f"is no type; there are {', '.join(DTYPES)}",
            "too_short": "must give a rate for at least one type",
        }.get(first["type"], first["msg"][:1].lower() + first["msg"][1:])
        raise ArchError(f"{where}: {place} {said}"[:500]) from None
