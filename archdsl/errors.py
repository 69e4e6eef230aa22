"""What the public edge raises; inside, findings are returned."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archdsl.diagnostics.model import Diagnostic


class ArchError(Exception):
    """Everything that this package raises on purpose."""


class SpecError(ArchError, ValueError):
    """A spec has errors; `diagnostics` are all of its findings, and the text shows them in full."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = diagnostics
        super().__init__(diagnostics)

    def __str__(self) -> str:
        from archdsl.diagnostics.text import render

        return render(self.diagnostics)


class WeightsError(ArchError):
    """Weights are not to be had, or do not fit."""


class NotFoundError(ArchError, LookupError):
    """There is no such file or network."""


class SpecChangedWarning(UserWarning):
    """The spec of saved weights is another today than the one that they carry."""
