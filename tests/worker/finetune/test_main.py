"""The process around a run: what it says, how it ends, and that it never runs twice or without its worker."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from worker.protocol import Event, Exit, Result, parse_event


@pytest.fixture
def command(llama: Path, rows: Path, make_config: Any, tmp_path: Path) -> list[str]:
    config = tmp_path / "config.json"
    config.write_text(make_config(training__num_train_epochs=2).model_dump_json())
    base = [sys.executable, "-m", "worker", str(config), "--output-dir", str(tmp_path / "out")]
    return [*base, "--dataset", str(rows), "--model", str(llama)]


@pytest.fixture
def slow(command: list[str], make_config: Any) -> list[str]:
    """A run that takes minutes, so that it is still there when it is stopped."""
    Path(command[3]).write_text(make_config(training__num_train_epochs=1000).model_dump_json())
    return command


class Started:
    """A run with its events on a pipe."""

    def __init__(self, command: list[str]) -> None:
        reading, writing = os.pipe()
        arguments = [*command, "--report-fd", str(writing)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            arguments, pass_fds=(writing,), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        os.close(writing)
        self._lines = os.fdopen(reading)

    def __iter__(self) -> Iterator[Event]:
        return map(parse_event, self._lines)

    def until(self, kind: str) -> None:
        next(event for event in self if event.event == kind)

    def ended(self) -> int:
        for _ in self:
            pass
        assert self.process.stdout is not None
        self.printed = self.process.stdout.read().decode()
        self._lines.close()
        self.process.stdout.close()
        return self.process.wait(60)


def test_events_tell_the_whole_run_and_nothing_is_printed(command: list[str]) -> None:
    run = Started(command)
    events = list(run)
    assert run.ended() == Exit.DONE, run.printed
    assert run.printed == ""
    kinds = [event.event for event in events]
    stages = [event.name for event in events if event.event == "stage"]
    assert stages == ["preparing", "baseline", "training", "evaluating", "saving"]
    assert {"environment", "baseline", "points", "progress", "log"} <= set(kinds)
    assert isinstance(events[-1], Result)
    assert events[-1].results["improvement"]["perplexity"] < 0


def test_without_a_pipe_it_speaks_to_a_person_and_libraries_keep_quiet(command: list[str], make_config: Any) -> None:
    Path(command[3]).write_text(make_config(quantization__method="int8").model_dump_json())
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert "== training" in done.stdout
    assert "perplexity: " in done.stdout
    assert done.stderr == ""


def test_a_failure_is_an_event_and_an_exit_code(command: list[str], make_config: Any) -> None:
    Path(command[3]).write_text(make_config(data__max_length=4096).model_dump_json())
    run = Started(command)
    failure = list(run)[-1]
    assert run.ended() == Exit.FAILED
    assert (failure.event, getattr(failure, "code", "")) == ("failure", "context_too_short")


def test_what_nobody_foresaw_is_a_failure_too_and_its_traceback_is_no_event(command: list[str], rows: Path) -> None:
    command[command.index(str(rows))] = "/nowhere/rows.jsonl"
    run = Started(command)
    events = list(run)
    assert run.ended() == Exit.FAILED
    assert getattr(events[-1], "code", "") == "unexpected"
    assert "FileNotFoundError" in getattr(events[-1], "detail", "")
    assert "Traceback" in run.printed
    assert not any("Traceback" in event.model_dump_json() for event in events)


def test_an_unreadable_configuration_is_a_failure_too(command: list[str]) -> None:
    Path(command[3]).write_text('{"model": {}, "surprise": 1}')
    run = Started(command)
    failure = list(run)[-1]
    assert run.ended() == Exit.FAILED
    assert "surprise" in getattr(failure, "detail", "")


def test_sigterm_in_training_leaves_a_checkpoint_and_resume_goes_on_from_it(slow: list[str], tmp_path: Path) -> None:
    run = Started(slow)
    run.until("points")
    run.until("progress")
    run.process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    assert run.ended() == Exit.STOPPED
    assert time.monotonic() - asked < 6  # the promise is 2 s on a quiet machine
    step = json.loads(next((tmp_path / "out/checkpoints").glob("step-*/manifest.json")).read_text())["step"]
    again = Started([*slow, "--resume"])
    first = next(event.step for event in again if event.event == "progress")
    again.process.kill()
    again.ended()
    assert first == step + 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_is_trained_is_not_trained_again_after_an_end_in_the_evaluation(
    command: list[str], number: signal.Signals
) -> None:
    run = Started(command)
    next(event for event in run if event.event == "stage" and event.name == "evaluating")
    run.process.send_signal(number)
    asked = time.monotonic()
    assert run.ended() == (Exit.STOPPED if number == signal.SIGTERM else -number)
    assert time.monotonic() - asked < 9  # the promise is 3 s
    again = Started([*command, "--resume"])
    events = list(again)
    assert again.ended() == Exit.DONE
    assert not [event for event in events if event.event == "progress"]
    assert isinstance(events[-1], Result)


@pytest.mark.parametrize("broken", ["raise ImportError('libpeft.so: undefined symbol')", "1 + None"])
def test_a_broken_library_is_named_as_such(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    (tmp_path / "peft.py").write_text(broken)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run = Started(command)
    failure = list(run)[-1]
    assert run.ended() == Exit.FAILED
    assert getattr(failure, "code", "") == "missing_library"
    assert "Traceback" in run.printed


def test_sigterm_while_libraries_are_imported_ends_at_once(slow: list[str]) -> None:
    run = Started(slow)
    time.sleep(1)
    run.process.send_signal(signal.SIGTERM)
    assert run.ended() == Exit.STOPPED


def test_a_locked_run_is_left_alone(command: list[str], tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        run = Started([*command, "--lock", str(lock)])
        assert list(run) == []
        assert run.ended() == Exit.LOCKED


def test_a_run_whose_worker_is_gone_never_starts(command: list[str]) -> None:
    run = Started([*command, "--parent-pid", "1" if os.getpid() != 1 else "2"])
    assert list(run) == []
    assert run.ended() == Exit.ORPHANED


def test_a_run_dies_with_its_worker(slow: list[str], tmp_path: Path) -> None:
    """The stand-in for a worker starts the run, says its pid, and is killed."""
    script = (
        "import os, subprocess, sys, time\n"
        "run = subprocess.Popen([*sys.argv[1:], '--parent-pid', str(os.getpid())], stdout=subprocess.DEVNULL)\n"
        "print(run.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", script, *slow], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    child = int(worker.stdout.readline())
    time.sleep(3)
    worker.kill()
    worker.wait()
    worker.stdout.close()
    deadline = time.monotonic() + 10
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
