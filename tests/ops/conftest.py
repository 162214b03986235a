"""What the tests of the processes share: a data folder and a broker socket of their own, and a look for survivors."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from app.settings import Settings

MARK = "OPS_TEST_MARK"


@pytest.fixture(autouse=True)
def marked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Every process that the test starts, and every one that those start, carries this in its environment.

    What the tests were started by must not reach into them: a make around them, or an ignored SIGHUP.
    """
    for name in [name for name in os.environ if name.startswith(("TUNEBOARD_", "MAKE", "MFLAGS"))]:
        monkeypatch.delenv(name)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    monkeypatch.setenv(MARK, str(tmp_path))
    yield str(tmp_path)
    for process in survivors(str(tmp_path)):
        process.kill()


def survivors(mark: str) -> list[psutil.Process]:
    """Processes other than this one that carry the mark; zombies are over."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and is_marked(process, mark):
                found.append(process)
        except psutil.Error:
            continue
    return found


def is_marked(process: psutil.Process, mark: str) -> bool:
    """By its environment or its arguments: a Redis server overwrites the former with its title."""
    return process.environ().get(MARK) == mark or mark in " ".join(process.cmdline())


def until(what: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something to become true; fails with its name when it does not."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"waited {seconds} s for {getattr(what, '__name__', what)}"
        time.sleep(0.05)


def gone(mark: str, seconds: float = 15) -> bool:
    """Whether every marked process is over within the time."""
    deadline = time.monotonic() + seconds
    while survivors(mark):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def settings(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("TUNEBOARD_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("TUNEBOARD_PORT", str(port))
    return Settings()


# The first process of a terminal, which like make hears of the terminal's end and waits for its child.
HEARS_AND_WAITS = (
    sys.executable,
    "-c",
    "import signal, subprocess, sys; signal.signal(signal.SIGHUP, lambda *_: None); subprocess.run(sys.argv[1:])",
)
