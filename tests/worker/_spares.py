"""Processes that wait for runs, as tests find them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.settings import Settings
from worker.child import Child
from worker.context import Context
from worker.spare import Spare, Spares
from worker.tasks import work

# Does all that the real one does but import the libraries.
FAKE_SPARE = Path(__file__).with_name("fake_spare.py")


def make_ready(spares: Spares, folder: Path) -> psutil.Process:
    """The process that waits."""
    spares.look(folder / "spare.log", gpu=False)
    assert spares._spare
    wait_for(spares._spare.is_ready)
    return psutil.Process(spares._spare.child.process.pid)


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def forked_pids(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The processes that a spare begins, as they come."""
    begin, found = Spare.begin, set[int]()

    def seen(self: Spare, *arguments: Any) -> Child:
        child = begin(self, *arguments)
        found.add(child.process.pid)
        return child

    monkeypatch.setattr(Spare, "begin", seen)
    return found


def pids(settings: Settings, run_id: int) -> set[int]:
    return {int(line.split()[0]) for line in (settings.run_dir(run_id) / "pids.log").read_text().splitlines()}


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def suspended(spares: Spares, folder: Path) -> psutil.Process:
    """A spare that will never be ready."""
    spares.look(folder / "spare.log", gpu=False)
    assert spares._spare
    process = psutil.Process(spares._spare.child.process.pid)
    process.suspend()
    return process


@contextmanager
def at_work(context: Context) -> Iterator[None]:
    """The task in a thread; it has come to its end after the block."""
    thread = threading.Thread(target=work, args=(context,))
    thread.start()
    yield
    thread.join(30)
    assert not thread.is_alive()
