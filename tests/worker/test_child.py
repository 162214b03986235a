"""A child process: its pipe, its environment, its end."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from worker.child import Child, download_environment, training_environment
from worker.protocol import Event, Log


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    """Starts Python code that has the number of the pipe as its argument."""
    children: list[Child] = []

    def run(code: str) -> Child:
        command = ["-c", f"import os, sys, time\nfd = int(sys.argv[1])\n{code}", "{fd}"]
        children.append(Child.start(command, environment=training_environment(), output=tmp_path / "output.log"))
        return children[-1]

    yield run
    for started in children:
        started.close()


def until_the_end(child: Child) -> list[Event]:
    events: list[Event] = []
    while child.exit_code is None:
        events += child.events(0.1)
    return events + child.events(0)


def test_events_come_whole_however_they_were_cut(start, tmp_path: Path) -> None:
    message = "x" * 200_000  # more than the pipe holds
    child = start(
        f'line = b\'{{"event":"log","message":"\' + b\'x\' * {len(message)} + b\'"}}\\n\'\n'
        "for part in (line[:7], line[7:99], line[99:] + line):\n"
        "    while part: part = part[os.write(fd, part):]\n"
        "    time.sleep(0.1)"
    )
    assert until_the_end(child) == [Log(message=message)] * 2


def test_a_child_goes_on_while_nobody_has_time_to_listen(start) -> None:
    line = b'{"event":"log","message":"' + b"x" * 970 + b'"}\n'
    talkative = start(f"for _ in range(1000): os.write(fd, {line!r})\nos._exit(7)")
    assert talkative.process.wait(20) == 7
    assert len(talkative.events(0)) == 1000


def test_what_cannot_be_read_becomes_a_line_of_the_log(start) -> None:
    [event] = until_the_end(start('os.write(fd, b\'{"event":"new"}\\n\')'))
    assert isinstance(event, Log)
    assert event.level == "warning"
    assert "unreadable" in event.message


def test_a_last_line_that_was_cut_is_no_event(start) -> None:
    assert until_the_end(start('os.write(fd, b\'{"event":"log","mess\')')) == []


def test_what_it_prints_goes_to_its_file(start, tmp_path: Path) -> None:
    until_the_end(start("print('out'); print('err', file=sys.stderr)"))
    assert sorted((tmp_path / "output.log").read_text().split()) == ["err", "out"]


def test_a_signal_is_a_negative_exit_code(start) -> None:
    child = start("os.kill(os.getpid(), 9)")
    until_the_end(child)
    assert child.exit_code == -signal.SIGKILL


def test_stop_asks_first_and_kills_after_the_grace(start) -> None:
    stubborn = start(
        "import signal; signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True))\n"
        'os.write(fd, b\'{"event":"log","message":"ready"}\\n\')\n'
        "while True: time.sleep(1)"
    )
    while not stubborn.events(0.1):
        pass
    began = time.monotonic()
    while stubborn.exit_code is None:
        stubborn.stop(0.5)
        time.sleep(0.02)
    assert stubborn.exit_code == -signal.SIGKILL
    assert time.monotonic() - began >= 0.5


def test_close_leaves_neither_the_child_nor_what_it_started(start) -> None:
    parent = start(
        "import subprocess; grandchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        'os.write(fd, b\'{"event":"log","message":"%d"}\\n\' % grandchild.pid); time.sleep(600)'
    )
    while not (events := parent.events(0.1)):
        pass
    grandchild = int(events[0].message)
    parent.close()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(grandchild) and psutil.Process(grandchild).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    parent._pipe = os.open(os.devnull, os.O_RDONLY)  # the fixture closes it once more


def test_no_secret_reaches_the_training_and_the_hub_token_only_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "TUNEBOARD_TOKEN", "TUNEBOARD_DATABASE_URL", "WANDB_API_KEY")
    for name in secrets:
        monkeypatch.setenv(name, "a secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    training, download = training_environment(), download_environment()
    assert "a secret" not in training.values()
    assert (training["HF_HUB_OFFLINE"], training["CUDA_VISIBLE_DEVICES"]) == ("1", "1")
    assert [name for name, value in download.items() if value == "a secret"] == ["HF_TOKEN"]
    assert "HF_HUB_OFFLINE" not in download
    assert training["PATH"] == os.environ["PATH"]
    assert sys.executable
