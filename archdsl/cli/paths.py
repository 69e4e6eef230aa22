"""The specs that a user names: files, and folders with all that is in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from archdsl.errors import NotFoundError


def specs(named: str) -> Iterator[str]:
    """A file as it is, or every `.arch` file in a folder and the folders in it, hidden ones aside.

    Raises:
        NotFoundError: where a folder has none.
    """
    if not os.path.isdir(named):
        yield named
        return
    found = False
    for folder, inner, files in os.walk(named):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(".arch") and not name.startswith("."):
                found = True
                yield str(Path(folder) / name)
    if not found:
        raise NotFoundError(f"there is no .arch file in {named}")
