"""`tuneboard up` for real: broker, worker and web, what restarts them, and that nothing survives it."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from app import up as everything
from app.settings import Settings
from tests.ops.conftest import gone, survivors, until

UP = [sys.executable, "-m", "app.cli", "up"]


class Up:
    """A running `tuneboard up` and what it prints."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings = settings
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(UP, stdout=out, stderr=subprocess.STDOUT)

    def text(self) -> str:
        return self.log.read_text()

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.text()
        return everything.ask(self.settings, "/readyz")[0] == 200

    def part(self, words: str) -> psutil.Process | None:
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # dead, and not yet buried
                if words in " ".join(child.cmdline()):
                    return child
        return None

    def has_new(self, words: str, old: psutil.Process) -> bool:
        new = self.part(words)
        return new is not None and new.pid != old.pid


@pytest.fixture
def up(settings: Settings, tmp_path: Path) -> Iterator[Up]:
    running = Up(settings, tmp_path / "log")
    yield running
    running.process.kill()
    running.process.wait()


PARTS = {"broker": "unixsocket", "worker": "worker.app", "web": "app.web.server"}


def test_it_says_where_it_is_and_starts_again_what_dies(up: Up, marked: str) -> None:
    until(lambda: "Tuneboard is up" in up.text(), 60)
    assert f"Tuneboard is up: http://127.0.0.1:{up.settings.port} " in up.text()
    for name, words in PARTS.items():
        old = up.part(words)
        assert old
        old.kill()
        until(partial(up.has_new, words, old))
        assert f"{name} ended (killed by SIGKILL); it starts again in 1 s" in up.text()
    until(up.is_ready, 60)
    up.process.terminate()
    assert up.process.wait(20) == 0
    assert gone(marked, 0)


def test_killed_it_leaves_nothing_behind_and_starts_again(up: Up, marked: str) -> None:
    until(up.is_ready, 60)
    assert len(survivors(marked)) >= 4
    up.process.kill()
    up.process.wait()
    assert gone(marked, 5)
    again = Up(up.settings, up.log)
    until(again.is_ready, 60)
    again.process.terminate()
    assert again.process.wait(20) == 0


def test_a_closed_terminal_ends_it(settings: Settings, marked: str) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(UP, preexec_fn=lambda: os.login_tty(slave), pass_fds=[slave])
    os.close(slave)
    said = b""
    while b"Tuneboard is up" not in said:
        said += os.read(master, 65_536)
    os.close(master)
    assert process.wait(20) == 0
    assert gone(marked, 2)


def test_a_worker_alone_uses_the_broker_that_runs(up: Up, marked: str, settings: Settings) -> None:
    until(up.is_ready, 60)
    other = subprocess.Popen([sys.executable, "-m", "app.cli", "worker"], stdout=subprocess.DEVNULL)
    until(lambda: len(workers(settings)) == 2, 60)
    brokers = [p for p in survivors(marked) if "unixsocket" in " ".join(p.cmdline())]
    assert len(brokers) == 1
    other.terminate()
    assert other.wait(20) == 0
    assert up.is_ready()


def workers(settings: Settings) -> list[str]:
    """The names of those alive, as /readyz tells them."""
    state: str = json.loads(everything.ask(settings, "/readyz")[1])["parts"]["worker"]["state"]
    return state.removeprefix("alive: ").split(", ")


def test_the_commands_speak_to_it(up: Up, tmp_path: Path) -> None:
    until(up.is_ready, 60)

    def tuneboard(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app.cli", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert json.loads(tuneboard("runs", "--json").stdout)["total"] == 0
    refused = tmp_path / "refused.json"
    refused.write_text(
        json.dumps({"model": {"base_model": "sample/clinic-2m"}, "data": {"dataset": 1}, "lora": {"r": 0}})
    )
    answer = tuneboard("launch", str(refused))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("tuneboard: lora.r: ")
    missing = tuneboard("show", "99")
    assert (missing.returncode, missing.stderr) == (1, "tuneboard: There is no run 99.\n")


@pytest.mark.parametrize(
    ("readiness", "words"),
    [
        ("", "the web server does not answer"),
        (
            '{"parts": {"disk": {"up": true, "state": ""}, "worker": {"up": false, "state": "none"}}}',
            "worker: none",
        ),
    ],
)
def test_what_is_missing_is_said_in_words(readiness: str, words: str) -> None:
    assert everything.missing(readiness) == words


def test_it_says_once_that_it_is_late_and_once_that_it_is_ready(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([(0, ""), (0, ""), (200, ""), (200, "")])
    monkeypatch.setattr(everything, "ask", lambda *_: next(answers))
    monkeypatch.setattr(everything, "READY_SECONDS", 0.0)
    said: list[str] = []
    tick: Callable[[], None] = everything.announcer(settings, said.append)
    for _ in range(4):
        tick()
    assert [line.split(":")[0] for line in said] == ["Still not ready after 0 s", "Tuneboard is up"]
