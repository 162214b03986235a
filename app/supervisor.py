"""Keep a few processes running: start them in order, start again what dies, pass on what they say, stop them all.

One thread and one loop: children are tied to the thread that starts them (see app.processes), and nothing here blocks.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from app.processes import kill_session, spawn, terminal_watch, try_lock

TICK_SECONDS = 0.1
# Longer than a worker gives its training to write a checkpoint.
GRACE_SECONDS = 13.0
FIRST_DELAY, LONGEST_DELAY = 1.0, 10.0
# A part that lived this long was well: its next death is a new story, with a short wait.
STEADY_SECONDS = 30.0
LONGEST_LINE = 64_000


@dataclass
class Part:
    """A process to keep running. The parts after it wait until it is `ready`.

    `lock`: only its holder runs this part; who does not get it waits for the holder to go. `environment` is what it has
    beside ours.
    """

    name: str
    command: Sequence[str]
    ready: Callable[[], bool] = lambda: True
    lock: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started: float = field(default=0.0, init=False)
    due: float = field(default=0.0, init=False)
    delay: float = field(default=0.0, init=False)
    unfinished_line: bytes = field(default=b"", init=False)
    held: IO[str] | None = field(default=None, init=False)


class Supervisor:
    """Runs until a signal asks it to stop; a second one stops at once."""

    def __init__(self, parts: Sequence[Part], say: Callable[[str], None]) -> None:
        self.parts = parts
        self.say = say
        self.asked_to_stop = 0
        self._outputs = selectors.DefaultSelector()

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        """Until SIGINT, SIGTERM, SIGHUP or a closed terminal; `tick` is called all the while and must return soon."""
        terminal_is_closed = terminal_watch()
        self._listen_to_signals()
        try:
            while not self.asked_to_stop and not terminal_is_closed():
                for part in self.parts:
                    self._tend(part)
                tick()
                self._read(TICK_SECONDS)
        finally:
            for part in reversed(self.parts):
                self._stop(part)

    def _listen_to_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup: the terminal may close
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, *_: object) -> None:
        self.asked_to_stop += 1

    def _tend(self, part: Part) -> None:
        if part.process is None:
            if time.monotonic() >= part.due and self._may_start(part):
                self._start(part)
        elif part.process.poll() is not None:
            self._start_again_later(part)

    def _may_start(self, part: Part) -> bool:
        if part.lock and not part.held:
            part.held = try_lock(part.lock)
            if not part.held:
                return False
        return all(earlier.ready() for earlier in self.parts[: self.parts.index(part)])

    def _start(self, part: Part) -> None:
        part.process = process = spawn(
            part.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, environment=part.environment
        )
        part.started = time.monotonic()
        assert process.stdout
        os.set_blocking(process.stdout.fileno(), False)
        self._outputs.register(process.stdout, selectors.EVENT_READ, part)

    def _start_again_later(self, part: Part) -> None:
        assert part.process
        ending = _ending(part.process.returncode)
        self._bury(part)
        steady = time.monotonic() - part.started >= STEADY_SECONDS
        part.delay = FIRST_DELAY if steady or not part.delay else min(2 * part.delay, LONGEST_DELAY)
        part.due = time.monotonic() + part.delay
        self.say(f"{part.name} ended ({ending}); it starts again in {part.delay:.0f} s")

    def _stop(self, part: Part) -> None:
        if part.process is not None:
            deadline = time.monotonic() + GRACE_SECONDS
            if part.process.poll() is None:
                part.process.terminate()
            while part.process.poll() is None and time.monotonic() < deadline and self.asked_to_stop < 2:
                self._read(TICK_SECONDS)
            self._bury(part)
        if part.held:
            part.held.close()

    def _bury(self, part: Part) -> None:
        """End what the part started and left, and pass on its last words."""
        assert part.process
        assert part.process.stdout
        kill_session(part.process)
        part.process.wait()
        self._pass_on(part)
        if part.unfinished_line:
            self._print(part, [part.unfinished_line])
        with suppress(KeyError):  # its output had ended before
            self._outputs.unregister(part.process.stdout)
        part.process.stdout.close()
        part.process, part.unfinished_line = None, b""

    def _read(self, seconds: float) -> None:
        if not self._outputs.get_map():
            time.sleep(seconds)
        for key, _ in self._outputs.select(seconds):
            if not self._pass_on(key.data):
                self._outputs.unregister(key.fileobj)

    def _pass_on(self, part: Part) -> bool:
        """Print the whole lines that have come; False when no more can come."""
        assert part.process
        assert part.process.stdout
        while (chunk := _read_some(part.process.stdout)) is not None:
            if not chunk:
                return False
            *lines, part.unfinished_line = (part.unfinished_line + chunk).split(b"\n")
            if len(part.unfinished_line) > LONGEST_LINE:
                lines, part.unfinished_line = [*lines, part.unfinished_line], b""
            self._print(part, lines)
        return True

    def _print(self, part: Part, lines: Sequence[bytes]) -> None:
        width = max(len(other.name) for other in self.parts)
        for line in lines:
            self.say(f"{part.name:<{width}} | {line.decode(errors='replace').rstrip()}")


def _read_some(stream: IO[bytes]) -> bytes | None:
    """What the pipe holds now: b"" at its end, None when nothing is there."""
    try:
        return os.read(stream.fileno(), 65_536)
    except BlockingIOError:
        return None


def _ending(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def to_terminal(line: str) -> None:
    """Print a line; a terminal that was closed takes nothing more, and that must not keep us from stopping."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
