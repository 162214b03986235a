"""The quick share: a few seeded trials of every promise; `make chaos` makes many."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from app.processes import spawn, stop
from tests.chaos.ledger import Entry
from tests.chaos.promises import PROMISES
from tests.chaos.trial import Promise

# Most of a trial's time is spent waiting.
AT_ONCE = 3
TRIED = [promise for promise in PROMISES if promise.quick]
Shares = dict[str, Future[str]]


@pytest.fixture(scope="module")
def shares(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shares]:
    """What the chosen promises' trials print, some promises at once, each in a process of its own."""
    folder, running = tmp_path_factory.mktemp("shares"), set[subprocess.Popen[bytes]]()
    parameters = [getattr(item, "callspec", None) for item in request.session.items]
    chosen = {found.params["promise"].name for found in parameters if found and "promise" in found.params}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        shares = {p.name: pool.submit(_share, p.name, folder, running) for p in TRIED if p.name in chosen}
        try:
            yield shares
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running):  # there are some where the tests were interrupted
                process.terminate()


def _share(name: str, folder: Path, running: set[subprocess.Popen[bytes]]) -> str:
    with (folder / name).open("wb") as output:
        process = spawn([sys.executable, "-m", "tests.chaos.quick", name], stdout=output, stderr=subprocess.STDOUT)
        running.add(process)
        try:
            process.wait(800)
        finally:
            stop(process, grace=10)
            running.discard(process)
    return (folder / name).read_text()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("promise", TRIED, ids=lambda promise: promise.name)
def test_it_holds(promise: Promise, shares: Shares, done: Callable[[Entry], None]) -> None:
    said = shares[promise.name].result().splitlines()
    lines = [json.loads(line) for line in said if line.startswith("{")]
    if lines and "impossible" in lines[0]:
        pytest.skip(lines[0]["impossible"])
    entries = [Entry(**line) for line in lines]
    for entry in entries:
        done(entry)
        print(entry.line())
    broken = [entry for entry in entries if entry.violations or entry.mistake]
    assert not broken, "\n".join(line for entry in broken for line in [*entry.violations, entry.mistake])
    assert len(entries) == promise.quick, "\n".join(said)
