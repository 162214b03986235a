"""How an attempt ended, from what is left of it: an exit code, a reported failure, a request to stop. Pure."""

import errno
import signal
from dataclasses import dataclass
from enum import StrEnum

from app.errors import RunError
from worker.protocol import Downloaded, Exit, Failure, Result

# Signals that a process gets for what it did itself; every other one was sent to it.
OWN_FAULT = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP})


DISK_FULL = RunError(
    "disk_full",
    "The disk is full",
    "There was no room left to write what the run produced.",
    "Delete runs or data sets that are no longer needed, then retry: it continues from the last checkpoint.",
)


HUNG = RunError(
    "hung",
    "The training process hung",
    "Nothing was heard from it for so long that it was ended.",
    "Its own last words are in output.log in the run's folder. Retry continues from the last checkpoint. "
    "Where single steps do take this long, raise TUNEBOARD_SILENCE_SECONDS.",
)
HOST_OUT_OF_MEMORY = RunError(
    "host_out_of_memory",
    "The machine ran out of memory",
    "The system ended the training process to get memory back: the machine's own, not that of its GPU.",
    "Close other programs, give the worker more memory, or take a smaller model, then retry: "
    "it continues from the last checkpoint.",
)
LOCK_HELD = RunError(
    "lock_held",
    "Another process still holds this run",
    "A training process of an earlier attempt is still alive, so a second one was not started beside it.",
    "End that process on the machine of the worker (the run's lock file names it), then retry.",
)


class Stop(StrEnum):
    """Why the worker asked its child to end."""

    CANCEL = "cancel"
    SHUTDOWN = "shutdown"
    SILENCE = "silence"


@dataclass(frozen=True)
class Completed:
    """It ended well and has said what it was asked for."""

    answer: Result | Downloaded


@dataclass(frozen=True)
class Failed:
    """It ended without a result; what follows is told by the error's code, see worker.causes."""

    error: RunError


@dataclass(frozen=True)
class Stopped:
    """It ended as asked, and continues from its checkpoint."""

    reason: str
    cause: str


Verdict = Completed | Failed | Stopped


def judge(
    exit_code: int, said: Result | Downloaded | Failure | None, stop: Stop | None, *, memory_was_short: bool = False
) -> Verdict:
    """`said` is the last word of the child, `stop` what the worker had asked of it.

    `memory_was_short`: the kernel has killed somebody for want of memory while the child ran.
    """
    if isinstance(said, Result | Downloaded) and exit_code == Exit.DONE:
        return Completed(said)
    if isinstance(said, Failure):
        return Failed(RunError(said.code, said.title, said.detail, said.hint))
    if stop is Stop.SHUTDOWN:
        return Stopped("The worker was stopped; the run continues from its last checkpoint", "shutdown")
    if exit_code == Exit.STOPPED or stop is Stop.CANCEL:
        return Stopped("The training process was asked to stop; it continues from its last checkpoint", "stopped")
    if stop is Stop.SILENCE:
        return Failed(HUNG)
    return Failed(_cause_of_death(exit_code, memory_was_short))


def is_disk_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _cause_of_death(exit_code: int, memory_was_short: bool) -> RunError:
    if exit_code == -signal.SIGKILL and memory_was_short:
        return HOST_OUT_OF_MEMORY
    if exit_code < 0:
        return _killed(-exit_code)
    if exit_code == Exit.LOCKED:
        return LOCK_HELD
    return RunError(
        "crashed",
        "The training process crashed",
        f"It ended with exit code {exit_code} and without a word about why.",
        "Its own last words are in output.log in the run's folder. Retry continues from the last checkpoint.",
    )


def _killed(number: int) -> RunError:
    name = next((known.name for known in signal.Signals if known == number), f"signal {number}")
    if number in OWN_FAULT:
        return RunError(
            "crashed",
            f"The training process crashed with {name}",
            f"The operating system ended it with {name}: a library did something that is not allowed.",
            "Its own last words are in output.log in the run's folder. Retry continues from the last checkpoint.",
        )
    return RunError(
        "killed",
        f"The training process was killed with {name}",
        f"Something outside ended it with {name}. With SIGKILL that mostly is the system, out of memory.",
        "Close other programs or take a smaller model, batch size or max length, then retry: "
        "it continues from the last checkpoint.",
    )
