"""Plain records of which thousands are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

if TYPE_CHECKING:

    @dataclass_transform(frozen_default=True, field_specifiers=(field,))
    def record(cls: type[Any]) -> Any: ...

else:
    # Frozen for the type checker. At run time a frozen dataclass takes four times as long to make. What all records
    # have in common is in their base: dataclasses would write it anew for each of them, at every start.
    record = dataclass(slots=True, eq=False, repr=False)


class Record:
    """What records can do: be compared, be a key, and be shown."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    unnamed: ClassVar[int] = 0
    """How many fields, the first ones, say only where something stands: they do not count."""

    def _facts(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name in self.__match_args__[self.unnamed :]])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash((type(self), self._facts()))

    def __repr__(self) -> str:
        names = self.__match_args__[self.unnamed :]
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({shown})"
