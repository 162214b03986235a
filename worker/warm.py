"""A training process before it has a run: imports what every training needs, waits for one, and then is any other.

    python -m worker.warm --report-fd N --parent-pid PID [--gpu]

Its input is a socket. Once ready it writes one line into the pipe that it will report over. What then comes is one
message: the arguments of `python -m worker`, and the open file that the output goes to from then on. Where the input
ends instead, so does the process. Until it has a run it is the first to go where memory is short, and touches no GPU.
"""

import argparse
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from app.processes import die_with
from worker import __main__ as program
from worker import imports
from worker.protocol import Exit
from worker.spare import READY

LONGEST_MESSAGE = 1 << 20
# bitsandbytes asks the GPU what it is when it is imported, and peft imports it; the rest of both can come before.
WITHOUT_GPU = (
    "transformers.modeling_utils", "transformers.models.auto.modeling_auto", "transformers.models.llama.modeling_llama",
    "torch._dynamo", "accelerate", "safetensors.torch", "worker.finetune.scoring",
)  # fmt: skip
OOM_SCORE = Path("/proc/self/oom_score_adj")
FIRST_TO_GO = "1000"
# How nice a session is to others. It may be changed ten times a second, by all processes together.
AUTOGROUP = Path("/proc/self/autogroup")
NICEST, USUAL = 19, 0
LONGEST_TRY_SECONDS = 5.0


def main() -> int:
    return program.main(stand_by(_load))


def stand_by(load: Callable[[bool], None]) -> list[str]:
    """The arguments of a run, once there is one; where none comes, the process ends here."""
    options = _options().parse_args()
    if os.getppid() != options.parent_pid:
        program.leave(Exit.ORPHANED)
    die_with(options.parent_pid)
    with _first_to_go():
        with _last_to_compute():
            load(options.gpu)
        os.write(options.report_fd, READY + b"\n")
        arguments = _wait()
    if arguments is None:
        program.leave(Exit.DONE)
    return arguments


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker.warm", description="Be ready for a fine-tuning.")
    parser.add_argument("--report-fd", type=int, required=True, help="the pipe that its events will go to")
    parser.add_argument("--parent-pid", type=int, required=True, help="end when the parent ends")
    parser.add_argument("--gpu", action="store_true", help="leave out what touches a GPU when it is imported")
    return parser


def _wait() -> list[str] | None:
    """The arguments of a run, once there is one; what is printed from then on goes to the file that came with them."""
    with socket.socket(fileno=os.dup(0)) as orders:
        message, files, _, _ = socket.recv_fds(orders, LONGEST_MESSAGE, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if not message:
        return None
    for standard in (1, 2):
        os.dup2(files[0], standard)
    os.close(files[0])
    arguments: list[str] = json.loads(message)
    return arguments


@contextmanager
def _first_to_go() -> Iterator[None]:
    """Within the block the kernel takes this process, which has nothing to lose, before any that has work."""
    before = OOM_SCORE.read_text() if OOM_SCORE.exists() else None
    if before is not None:
        OOM_SCORE.write_text(FIRST_TO_GO)
    yield
    if before is not None:
        OOM_SCORE.write_text(before)


@contextmanager
def _last_to_compute() -> Iterator[None]:
    """Within the block its session leaves the cores to others. Linux shares them out among sessions, where it does so
    at all, before it looks at a thread's own priority."""
    changed = os.getsid(0) == os.getpid() and _be_nice(NICEST)
    yield
    if changed and not _be_nice(USUAL):  # a run would crawl
        program.leave(Exit.FAILED)


def _be_nice(value: int) -> bool:
    """Whether the system took it."""
    deadline = time.monotonic() + LONGEST_TRY_SECONDS
    while time.monotonic() < deadline:
        try:
            AUTOGROUP.write_text(str(value))
        except BlockingIOError:  # too soon after another change
            time.sleep(0.05)
        except OSError:  # no such thing here
            return False
        else:
            return True
    return False


def _load(gpu: bool) -> None:
    """Import in the gaps that others leave: in a thread, as a process could not take its low priority back."""
    program.prepare_environment()
    import_module("numpy")  # here: the threads that it starts have the priority of the one that imports it
    loaded = threading.Event()
    thread = threading.Thread(target=_load_gently, args=(gpu, loaded), name="imports")
    thread.start()
    thread.join()
    if not loaded.is_set():  # the run that comes next does without, and says in words what is wrong
        program.leave(Exit.FAILED)


def _load_gently(gpu: bool, loaded: threading.Event) -> None:
    if hasattr(os, "SCHED_IDLE"):
        with suppress(PermissionError):  # a container may forbid it
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # of this thread alone
    if gpu:
        with imports.quickly():
            for name in WITHOUT_GPU:
                import_module(name)
    else:
        program.load_libraries()
    loaded.set()


if __name__ == "__main__":
    program.leave(main())
