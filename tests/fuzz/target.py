"""One process of libFuzzer's, which `tests.fuzz` starts: `python -m tests.fuzz.target KIND LIMITS FOLDER [options]`.

A text that raises, or takes too much of the processor's time, is put into FOLDER, one for each place in the code, and
the run goes on. One that never ends or takes too much memory ends it, and libFuzzer writes the text there itself.
"""

from __future__ import annotations

import hashlib
import sys
import time
import traceback
from contextlib import nullcontext
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["archdsl"]):
    from .pipeline import examine, small_limits

from .corpus import texts
from .mutate import enlarged, mutated
from .sweep import ENLARGED, SECONDS, SLOWER


def main() -> None:
    kind, size, folder, *options = sys.argv[1:]
    others = texts()
    seen: set[str] = set()

    def text_of(data: bytes) -> str:
        return data.decode("utf-8", "replace")

    def one(data: bytes) -> None:
        began = time.process_time()
        try:
            examine(text_of(data))
            if (took := time.process_time() - began) > SLOWER * SECONDS:
                raise TimeoutError(f"{took:.1f} s")
        except Exception as problem:  # noqa: BLE001  # whatever it is, it is what is looked for
            place = where(problem)
            if place not in seen:
                seen.add(place)
                name = hashlib.sha256(data).hexdigest()[:12]
                Path(folder, f"raises-{name}.arch").write_bytes(data)
                Path(folder, f"raises-{name}.txt").write_text("".join(traceback.format_exception(problem)))

    def changed(data: bytes, longest: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.1:
            return bytes(atheris.Mutate(data, longest))
        text = mutated(text_of(data), random, others)
        text = enlarged(text, random) if random.random() < ENLARGED else text
        return text.encode("utf-8", "replace")[:longest]

    arguments = [sys.argv[0], *options]
    if kind == "specs":
        atheris.Setup(arguments, one, custom_mutator=changed)
    else:
        atheris.Setup(arguments, one)
    with small_limits() if size == "small" else nullcontext():
        atheris.Fuzz()


def where(problem: Exception) -> str:
    """What tells one failure from another: its kind, and the last place of this project in its trace."""
    frames = [frame for frame in traceback.extract_tb(problem.__traceback__) if "site-packages" not in frame.filename]
    return f"{type(problem).__name__} {frames[-1].filename}:{frames[-1].lineno}"


if __name__ == "__main__":
    main()
