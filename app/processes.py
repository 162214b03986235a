"""Child processes that never outlive their parent, and locks that never outlive their holder and tell who that is."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import IO, Self

from app.errors import Conflict
from app.leases import boot

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
# Loaded before any fork: between fork and exec nothing may be imported.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def spawn(
    command: Sequence[str],
    *,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C reaches us alone; it is killed when this process ends.
    Its environment is ours with what is given in it.

    Linux ties that to the *thread* that spawns: call this from one that lives as long as the process. Elsewhere
    than on Linux a parent that is killed with SIGKILL leaves its children behind.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=os.environ | environment,
        start_new_session=True,
        preexec_fn=partial(die_with, os.getpid()),
    )


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread of `parent` that spawned it ends."""
    if _libc:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)


@contextmanager
def adopting() -> Iterator[None]:
    """Within the block, a descendant whose parent ends becomes a child of this process. Linux only."""
    if _libc:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        if _libc:
            _libc.prctl(PR_SET_CHILD_SUBREAPER, 0)


def stop(process: subprocess.Popen[bytes], grace: float) -> None:
    """Ask a spawned child to end, wait `grace` seconds, then kill what is left of its session."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    kill_session(process)
    process.wait()


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kill a spawned child and whatever it started that is still in its process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def terminal_watch() -> Callable[[], bool]:
    """Tells from now on whether the terminal that this process was started in is closed.

    The kernel sends SIGHUP to the terminal's first process only: a shell passes it on, make does not. Where SIGHUP is
    ignored, as under nohup, the terminal may close.
    """
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        return lambda: False
    terminal = next((fd for fd in (0, 1, 2) if os.isatty(fd)), None)
    return lambda: terminal is not None and not os.isatty(terminal)


def try_lock(path: Path) -> IO[str] | None:
    """An exclusive lock for as long as the returned file is open; None when another process has it."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


@dataclass(frozen=True)
class Identity:
    """One process and no other: numbers are given again, but not with the same start time in the same boot."""

    pid: int
    started: int  # in clock ticks after the boot
    boot: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """None where there is no such process, or no /proc."""
        try:
            facts = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return None
        # The second field is the name in brackets, which may hold anything; 22 is the start time.
        return cls(pid, int(facts.rpartition(")")[2].split()[19]), boot())

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Who wrote himself into a lock file; None where that cannot be told."""
        try:
            pid, started, of_boot = path.read_text(encoding="utf-8").split()
            return cls(int(pid), int(started), of_boot)
        except (OSError, ValueError):
            return None

    def __str__(self) -> str:
        return f"{self.pid} {self.started} {self.boot}"

    @property
    def lives(self) -> bool:
        return self.boot == boot() and Identity.of(self.pid) == self

    def kill(self) -> bool:
        """SIGKILL to this very process; False where it is gone, whoever has its number now."""
        try:
            handle = os.pidfd_open(self.pid)  # from here on the number cannot come to mean another process
        except ProcessLookupError:
            return False
        try:
            if not self.lives:
                return False
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True


def hold_lock(path: Path) -> IO[str] | None:
    """`try_lock` that leaves word of this process in the file, for whoever finds the lock held."""
    file = try_lock(path)
    if file:
        with suppress(OSError):  # a full disk: held all the same
            file.truncate(0)
            os.write(file.fileno(), f"{Identity.of(os.getpid()) or ''}\n".encode())
    return file


@contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Hold the lock within the block, after whoever has it now."""
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def exclusive(path: Path, refusal: str) -> Iterator[None]:
    """Hold the lock within the block; raises Conflict with `refusal`, and the holder's process id, when it is taken."""
    file = try_lock(path)
    if file is None:
        raise Conflict(f"{refusal} (process {path.read_text(encoding='utf-8').strip() or 'unknown'})")
    with file:
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
