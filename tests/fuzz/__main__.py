"""`python -m tests.fuzz --count 1000000 --jobs 2`: so many texts through the pipeline, guided by the code they reach.

The limits are the true ones, and a text that takes more than 10 seconds or a gigabyte fails. Atheris makes everything
slower, so that time and memory are measured with `--plain`. With `--small-limits` what is large is refused soon, and
more texts are run in the time.

Needs atheris (`pip install -e ".[fuzz]" -c constraints.txt`), but for `--plain`. What fails is made smaller and kept in
tests/corpus/found, where an ordinary test runs it from then on.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import time
from collections import Counter, deque
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory
from typing import NamedTuple

from .corpus import ROOT, texts, words
from .shrink import kept_small, kept_small_text
from .sweep import LARGE, MEGABYTES, SECONDS, SLOWER, Found, Swept, sweep

TARGETS = {"bytes": 1, "specs": 3}
"""The targets, and how the texts are shared out: any bytes, and specs changed as specs."""

CHUNK = 200
LONGEST = 2_500

CORPUS_MEGABYTES = 512
"""What a process of libFuzzer's takes besides the text at hand."""


class Job(NamedTuple):
    kind: str
    process: subprocess.Popen[bytes]
    log: Path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Runs texts that nobody would write.")
    parser.add_argument("--count", type=int, default=10_000, help="how many texts, over all targets and jobs")
    parser.add_argument("--seconds", type=int, default=0, help="stop each job after so long (0: when it is done)")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes at a time")
    parser.add_argument("--seed", type=int, default=0, help="the number to begin with (0: another each time)")
    parser.add_argument("--corpus", type=Path, help="keeps the texts that reach something new in this folder")
    parser.add_argument("--plain", action="store_true", help="without atheris: at random, and several times as fast")
    parser.add_argument("--small-limits", action="store_true", help="refuse soon what is large")
    options = parser.parse_args()
    small = options.small_limits
    if options.plain:
        seed = options.seed or SystemRandom().randrange(1, 10**9)
        return plain(options.count, options.seconds, options.jobs, seed, small)
    began = time.monotonic()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        corpus = options.corpus or folder / "corpus"
        corpus.mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(texts()):
            (corpus / f"seed-{number}").write_text(text, encoding="utf-8", errors="replace")
        (folder / "words.dict").write_text("".join(f"{json.dumps(word)}\n" for word in words()), encoding="ascii")
        waiting = [
            (kind, max(1, options.count * part // sum(TARGETS.values()) // options.jobs), job)
            for job in range(options.jobs)
            for kind, part in TARGETS.items()
        ]
        running: list[Job] = []
        done = failed = 0
        while waiting or running:
            while waiting and len(running) < options.jobs:
                kind, count, job = waiting.pop(0)
                seed = options.seed and options.seed + job
                running.append(start(kind, corpus, folder, count, options.seconds, seed, small))
            time.sleep(0.5)
            for job_ in [each for each in running if each.process.poll() is not None]:
                running.remove(job_)
                texts_run, coverage = outcome(job_.log)
                done += texts_run
                ended = job_.process.returncode
                failed += ended != 0
                print(f"{job_.kind}: {texts_run:,} texts, {coverage}" + (f", ended with {ended}" if ended else ""))
                if ended:
                    print(job_.log.read_text(errors="replace")[-2000:])
                sys.stdout.flush()
        kept = [kept_small(path, small) for path in sorted(folder.glob("found/*")) if path.suffix != ".txt"]
        for path in kept:
            print(f"found: {path.relative_to(ROOT)}")
        for trace in sorted(folder.glob("found/*.txt")):
            print(trace.read_text())
        print(
            f"{done:,} texts in {time.monotonic() - began:.0f} s, {len(kept)} found, {failed} jobs ended early; "
            f"{sum(1 for _ in corpus.iterdir()):,} texts in the corpus"
        )
    return 1 if kept or failed else 0


def plain(count: int, seconds: int, jobs: int, seed: int, small: bool) -> int:
    """Texts at random, shared out over processes: a new one for each chunk, and after a text that made one large."""
    began = time.monotonic()
    stages: Counter[str] = Counter()
    large: Counter[str] = Counter()
    found: dict[str, Found] = {}
    slowest, largest = (0.0, ""), (0, "")
    ended = 0
    kinds = [kind for kind, part in TARGETS.items() for _ in range(part)]
    chunks = deque((kinds[at % len(kinds)], at * CHUNK, (at + 1) * CHUNK) for at in range(-(-count // CHUNK)))
    running: dict[Connection, tuple[ForkProcess, tuple[str, int, int]]] = {}
    texts()  # read once, for all processes
    while chunks or running:
        if seconds and time.monotonic() - began > seconds:
            chunks.clear()
        while chunks and len(running) < jobs:
            chunk = chunks.popleft()
            ours, theirs = CONTEXT.Pipe(duplex=False)
            process = CONTEXT.Process(target=swept_to, args=(theirs, seed, *chunk, small), daemon=True)
            process.start()
            theirs.close()
            running[ours] = process, chunk
        for ready in wait(list(running)):
            assert isinstance(ready, Connection)
            process, (kind, first, last) = running.pop(ready)
            try:
                swept: Swept = ready.recv()
            except EOFError:
                ended += 1
                print(f"{seed}/{kind}: the process that ran {first} to {last} ended", flush=True)
                continue
            finally:
                ready.close()
                process.join()
            if swept.next < last:
                chunks.appendleft((kind, swept.next, last))
            stages += swept.stages
            large += swept.large
            slowest, largest = max(slowest, swept.slowest), max(largest, swept.largest)
            for each in swept.found:
                if each.place not in found:
                    found[each.place] = each
                    print(f"{each.seed}: {each.problem}", flush=True)
                    print(f"found: {kept_small_text(each.text, small).relative_to(ROOT)}", flush=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{stages.total():,} texts of seed {seed} in {time.monotonic() - began:.0f} s, "
        f"{used.ru_utime + used.ru_stime:.0f} s of a processor: {dict(stages)}, "
        f"of more than {LARGE:,} layers {dict(large)}; {len(found)} found, {ended} processes ended early, "
        f"the slowest ({slowest[1]}) took {slowest[0]:.2f} s, the largest ({largest[1]}) {largest[0]:,} MiB"
    )
    return 1 if found or ended else 0


CONTEXT = get_context("fork")


def swept_to(answer: Connection, seed: int, kind: str, first: int, last: int, small: bool) -> None:
    """Examines a chunk of texts in a process of its own."""
    answer.send(sweep(seed, kind, first, last, small, leave=True))


def start(kind: str, corpus: Path, folder: Path, count: int, seconds: int, seed: int, small: bool) -> Job:
    found = folder / "found"
    found.mkdir(exist_ok=True)
    log = folder / f"{kind}-{time.monotonic_ns()}.log"
    options = [
        f"-runs={count}",
        f"-seed={seed}",
        f"-max_total_time={seconds}",
        f"-timeout={6 * SLOWER * SECONDS:.0f}",  # of the clock: other programs run too
        f"-rss_limit_mb={MEGABYTES + CORPUS_MEGABYTES}",
        f"-max_len={LONGEST}",
        f"-dict={folder / 'words.dict'}",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
        str(corpus),
    ]
    with log.open("wb") as output:
        command = [sys.executable, "-m", "tests.fuzz.target", kind, "small" if small else "true", str(found), *options]
        return Job(kind, subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT), log)


def outcome(log: Path) -> tuple[int, str]:
    """How many texts a job ran, and what they reach, in libFuzzer's words."""
    text = log.read_text(errors="replace")
    runs = re.findall(r"stat::number_of_executed_units:\s+(\d+)", text) or re.findall(r"^#(\d+)", text, re.MULTILINE)
    reached = re.findall(r"cov: (\d+) ft: (\d+)", text)
    return int(runs[-1]) if runs else 0, f"{reached[-1][0]} edges, {reached[-1][1]} features" if reached else "no edges"


if __name__ == "__main__":
    raise SystemExit(main())
