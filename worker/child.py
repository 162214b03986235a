"""A child process of the worker: a fresh Python with a pipe to report over, and no secrets.

The kernel kills it when the *thread* that spawned it ends, so spawn from one that waits for the child.
"""

import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol, Self

from pydantic import ValidationError

from worker.protocol import Event, Log, parse_event

CHUNK = 65_536
PIPE_BYTES = 1 << 20
SECRET = re.compile(r"^TUNEBOARD_|TOKEN|SECRET|PASSWORD|CREDENTIAL|API_KEY|ACCESS_KEY|PRIVATE_KEY")
PLAIN = {
    "PYTHONUNBUFFERED": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
# The token that `hf auth login` leaves on disk is a secret too.
HUB_SHUT = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "HF_TOKEN_PATH": os.devnull}


def training_environment() -> dict[str, str]:
    """This process's environment without anything that looks like a secret, and with the model hub shut."""
    return _without_secrets() | PLAIN | HUB_SHUT


def download_environment() -> dict[str, str]:
    """The only environment that the hub token is in."""
    token = os.environ.get("HF_TOKEN")
    return _without_secrets() | PLAIN | ({"HF_TOKEN": token} if token else {})


def _without_secrets() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not SECRET.search(name.upper())}


class Process(Protocol):
    """What a child's process is asked: `subprocess.Popen` is one."""

    @property
    def pid(self) -> int: ...

    @property
    def stdin(self) -> IO[bytes] | None: ...

    def poll(self) -> int | None: ...

    def wait(self) -> int | None: ...

    def terminate(self) -> None: ...


class Child:
    """One running `python -m ...` that reports over a pipe."""

    def __init__(self, process: Process, pipe: int) -> None:
        """`pipe` is the end to read of `report_pipe`, ours from here on."""
        self.process, self._pipe = process, pipe
        self._tail = b""
        self._deadline: float | None = None

    @classmethod
    def start(
        cls, arguments: Sequence[str], *, environment: Mapping[str, str], output: Path, stdin: int = subprocess.DEVNULL
    ) -> Self:
        """`arguments` follow the interpreter; `{fd}` in one becomes the number of the pipe that it reports to.

        What the child prints goes to the file `output`: it is for whoever runs the machine, not for a page.
        """
        pipe, reports_to = report_pipe()
        try:
            with output.open("wb") as printed:
                process = subprocess.Popen(
                    [sys.executable, *with_number(arguments, reports_to)],
                    env=dict(environment),
                    stdin=stdin,
                    stdout=printed,
                    stderr=subprocess.STDOUT,
                    pass_fds=(reports_to,),
                    start_new_session=True,
                )
        except OSError:
            os.close(pipe)
            raise
        finally:
            os.close(reports_to)
        return cls(process, pipe)

    def events(self, wait: float) -> list[Event]:
        """What was reported since the last call, after at most `wait` seconds; empty when there is nothing."""
        return [_parse(line) for line in self.lines(wait)]

    def lines(self, wait: float) -> list[bytes]:
        """The same as it was written."""
        ready, _, _ = select.select([self._pipe], [], [], wait)
        received = b"".join(iter(self._read, b"")) if ready else b""
        if ready and not received:  # closed at the other end: without a pause the caller would spin
            time.sleep(min(wait, 0.05))
        *lines, self._tail = (self._tail + received).split(b"\n")
        return lines

    def _read(self) -> bytes:
        try:
            return os.read(self._pipe, CHUNK)
        except BlockingIOError:
            return b""

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the number of the signal that ended it."""
        return self.process.poll()

    def stop(self, grace: float) -> None:
        """Ask it to end; called again after so many seconds, kill it."""
        if self._deadline is None:
            self._deadline = time.monotonic() + grace
            self.process.terminate()
        elif time.monotonic() > self._deadline:
            self.kill()

    def kill(self) -> None:
        """Kill it with everything that it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Leave nothing behind: neither process nor pipe."""
        self.kill()
        self.process.wait()
        if self.process.stdin:
            with suppress(BrokenPipeError):  # closing writes what is left for a reader that is gone
                self.process.stdin.close()
        os.close(self._pipe)


def report_pipe() -> tuple[int, int]:
    """The end to read, which never blocks, and the end that a child writes its reports to."""
    pipe, reports_to = os.pipe()
    os.set_blocking(pipe, False)
    if hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux: room for a second of reports, while the database keeps us waiting
        with suppress(OSError):  # a user may only have so many
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return pipe, reports_to


def with_number(arguments: Iterable[str], reports_to: int) -> list[str]:
    """The arguments with the number of the pipe where they have `{fd}`."""
    return [part.replace("{fd}", str(reports_to)) for part in arguments]


def _parse(line: bytes) -> Event:
    try:
        return parse_event(line)
    except ValidationError:
        return Log(level="warning", message=f"The training process said something unreadable: {line[:200]!r}")
