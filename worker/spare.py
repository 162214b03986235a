"""A process with all that a training imports, which takes seconds: a run is forked from it in hundredths of one.

A thread of the worker keeps one, and ends it where memory is short or the code has changed; the task has runs begin in
it. No run depends on it: where none is ready, or soon will be, a process is started as if there were no such thing.
"""

import json
import logging
import os
import socket
import sysconfig
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from app.processes import adopting
from app.settings import ROOT
from worker.adopted import Adopted
from worker.child import Child, report_pipe, training_environment

log = logging.getLogger(__name__)

# What the interpreter is started with; tests put a stand-in in its place.
COMMAND = ("-m", "worker.warm")
READY = b"ready"  # all that it says
BEGIN, LONGEST_NUMBER = b".", 20  # the answer to a new process that has told its number
# It takes half a gigabyte. Not started, or ended again, where that would leave the machine with less than this.
BYTES_TO_START, BYTES_TO_STAY = 3 << 29, 1 << 29
LOOK_SECONDS = 2.0
# For so long a run waits for one that is still loading: about what it would take to load by itself. One that is not
# ready then has little of the machine, and nobody knows when it will be.
LONGEST_WAIT_SECONDS, READY_LOOK_SECONDS = 4.0, 0.05
# For a fork and three messages.
LONGEST_FORK_SECONDS = 2.0

Code = frozenset[tuple[Path, int]]


class Spare:
    """One process that imports what a training needs, then begins runs."""

    def __init__(self, output: Path, *, gpu: bool) -> None:
        output.parent.mkdir(parents=True, exist_ok=True)
        self.code = code_on_disk()
        self._orders, theirs = socket.socketpair()
        self._orders.settimeout(LONGEST_FORK_SECONDS)
        arguments = [*COMMAND, "--report-fd", "{fd}", "--parent-pid", str(os.getpid()), *(["--gpu"] if gpu else [])]
        with theirs:
            self.child = Child.start(
                arguments, environment=training_environment(), output=output, stdin=theirs.fileno()
            )
        self._ready = False

    def is_ready(self) -> bool:
        """Everything is imported and it lives."""
        self._ready = self._ready or READY in self.child.lines(0)
        return self._ready and self.child.exit_code is None

    def begin(self, arguments: Sequence[str], output: Path) -> Child:
        """A process of a run, our child; raises OSError where there is none in time or `output` cannot be written."""
        pipe, reports_to = report_pipe()
        leash, theirs = socket.socketpair()
        leash.settimeout(LONGEST_FORK_SECONDS)
        try:
            with adopting(), leash:
                with theirs, os.fdopen(reports_to, "wb"), output.open("wb") as printed:
                    files = [printed.fileno(), reports_to, theirs.fileno()]
                    socket.send_fds(self._orders, [json.dumps(arguments).encode()], files)
                pid = leash.recv(LONGEST_NUMBER)
                if not pid:
                    raise ConnectionError("it ended without a word")
                leash.send(BEGIN)
        except OSError:
            os.close(pipe)
            raise
        return Child(Adopted(int(pid)), pipe)

    def close(self) -> None:
        self._orders.close()
        self.child.close()


class Spares:
    """At most one spare. `look` is called by the thread that keeps it, everything else by the task."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spare: Spare | None = None
        # Whether one is to be started, and whether the run that is at work has had one started for what follows it.
        self._wanted, self._asked = True, True
        # Set where the thread that keeps it has something to do before its next look.
        self.woken = threading.Event()

    def want(self) -> None:
        """From here on another may load where there is none, one for each run: it may be one that always dies.

        Not while a run gets to its first step: it would share the machine, and nobody knows yet how much memory that
        run leaves.
        """
        if not self._asked:
            self._wanted, self._asked = True, True
            self.woken.set()

    def begin(self, arguments: Sequence[str], output: Path, stopping: threading.Event) -> Child | None:
        """A process with these arguments, forked from the spare, which is waited for where it is still loading; None
        where there is none, where it takes too long or the worker is to stop."""
        self._wanted, self._asked = False, False
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while True:
            with self._lock:  # not while waiting: memory may run short
                spare = self._spare
                if spare is None or spare.child.exit_code is not None:  # one that is dead or slow is left to `look`
                    return None
                if spare.is_ready():
                    return self._begun(spare, arguments, output)
            if time.monotonic() > deadline or stopping.wait(READY_LOOK_SECONDS):
                return None

    def _begun(self, spare: Spare, arguments: Sequence[str], output: Path) -> Child | None:
        """None from one of yesterday's code, or that fails: such a one is ended."""
        if spare.code == code_on_disk():
            try:
                return spare.begin(arguments, output)
            except OSError as error:
                log.warning("the spare process begins no run: %s", error)
        self._end(spare)
        return None

    def look(self, output: Path, *, gpu: bool) -> None:
        """Start one where one is wanted; end it where it is of no use."""
        with self._lock:
            spare = self._spare
            if spare and (reason := _unfit(spare)):
                log.info("the spare process is ended: %s", reason)
                self._end(spare)
            elif spare is None and self._wanted and psutil.virtual_memory().available > BYTES_TO_START:
                self._wanted = False  # until the next run, however this goes
                self._spare = Spare(output, gpu=gpu)

    def close(self) -> None:
        """End the spare; the runs that began in it go on."""
        with self._lock:
            if self._spare:
                self._end(self._spare)

    def _end(self, spare: Spare) -> None:
        self._spare, self._wanted = None, False
        spare.close()


@contextmanager
def kept(spares: Spares, output: Path, *, gpu: bool) -> Iterator[None]:
    """Keep one ready for as long as the block runs, from a thread that lives as long as what it starts."""
    ended = threading.Event()
    thread = threading.Thread(target=_keep, args=(spares, output, gpu, ended), name="spare")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        spares.woken.set()
        thread.join()


def _keep(spares: Spares, output: Path, gpu: bool, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            spares.look(output, gpu=gpu)
        except OSError as error:  # a full disk, no process left: runs do without
            log.warning("no spare process: %s", error)
        spares.woken.wait(LOOK_SECONDS)
        spares.woken.clear()
    spares.close()


def code_on_disk() -> Code:
    """What a process would import now: our modules as they are, and whether a package came or went."""
    modules = [path for part in ("app", "worker") for path in (ROOT / part).rglob("*.py")]
    return frozenset((path, path.stat().st_mtime_ns) for path in (Path(sysconfig.get_path("purelib")), *modules))


def _unfit(spare: Spare) -> str | None:
    if spare.child.exit_code is not None:
        return f"it ended by itself with exit code {spare.child.exit_code}"
    return "memory is short" if psutil.virtual_memory().available < BYTES_TO_STAY else None
