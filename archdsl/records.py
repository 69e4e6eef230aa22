"""Plain records of which thousands are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, dataclass_transform

if TYPE_CHECKING:

    @dataclass_transform(frozen_default=True, field_specifiers=(field,))
    def record(cls: type[Any]) -> Any: ...

else:
    # Frozen for the type checker. At run time a frozen dataclass takes four times as long to make.
    record = dataclass(slots=True, unsafe_hash=True)
