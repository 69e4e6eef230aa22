"""What all tests share.

Golden files: what a test writes is compared with a file, and only `--update-golden` rewrites the file. Random cases:
those of hypothesis are the same in every run, and `--fresh` tries others; of the random networks that torch judges,
some are new in every run. The end of a run says how to have the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import SystemRandom

import pytest
from hypothesis import HealthCheck, settings

GOLDEN = Path(__file__).parent / "golden"

# How long a case takes is the machine's affair, so no test fails for it.
TIMELESS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("same", TIMELESS, derandomize=True, database=None)
settings.register_profile("fresh", TIMELESS)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files with what the tests give")
    parser.addoption("--fresh", nargs="?", const="", metavar="SEED", help="random cases of a new seed, or of this one")
    parser.addoption("--networks", type=int, metavar="SEED", help="the new random networks are those of this seed")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    fresh = config.getoption("--fresh")
    settings.load_profile("same" if fresh is None else "fresh")
    if fresh is not None:
        config.option.fresh = fresh or str(SystemRandom().randrange(2**32))
        config.option.hypothesis_seed = config.option.fresh
    if config.getoption("--networks") is None:
        config.option.networks = SystemRandom().randrange(10**6)  # before the processes of xdist start, which get it


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    again = f"--networks={config.getoption('--networks')}"
    if (fresh := config.getoption("--fresh")) is not None:
        again += f" --fresh={fresh}"
    terminalreporter.write_line(f"the same random cases again: pytest {again}")


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Equal bits need one thread: with more, the order of additions may change from one run to the next."""
    import torch  # here, so that tests without torch start without it

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # for the processes that a test starts
    monkeypatch.setenv("MKL_NUM_THREADS", "1")
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden("diagnostics/merge.txt", text)` fails where the file says something else."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            return
        assert path.is_file(), f"no golden file {path}; write it with --update-golden"
        assert text == path.read_bytes().decode()

    return check
