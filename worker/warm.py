"""A process that has imported what every training needs, and forks one off for each run.

    python -m worker.warm --report-fd N --parent-pid PID [--gpu]

Its input is a socket. Once ready it writes one line into its pipe. Then comes a message for each run: the arguments of
`python -m worker`, and three open files: where its output goes, the pipe that it reports over, and a leash. The run's
process writes its number into the leash and begins when something comes back; where the leash ends instead, so does
that process. The one that waits ends with its input. It is the first to go where memory is short, touches no GPU and
computes nothing: no thread of a library may be at work in a process that forks.
"""

import argparse
import gc
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from app.processes import die_with
from worker import __main__ as program
from worker import imports
from worker.child import with_number
from worker.forking import forked
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


@dataclass(frozen=True)
class Order:
    arguments: list[str]
    output: int
    reports_to: int
    leash: int

    def close(self) -> None:
        for file in (self.output, self.reports_to, self.leash):
            os.close(file)


def main() -> int:
    return program.main(stand_by(_load))


def stand_by(load: Callable[[bool], None]) -> list[str]:
    """The arguments of a run, in the process of that run; the process that was started ends here."""
    options = _options().parse_args()
    if os.getppid() != options.parent_pid:
        program.leave(Exit.ORPHANED)
    die_with(options.parent_pid)
    score = _first_to_go()
    with _last_to_compute():
        load(options.gpu)
    os.write(options.report_fd, READY + b"\n")
    with socket.socket(fileno=os.dup(0)) as orders:
        while order := _next(orders):
            if forked(options.parent_pid):
                break
            order.close()
    if order is None:
        program.leave(Exit.DONE)
    os.close(options.report_fd)
    _begin(order, score)
    return order.arguments


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker.warm", description="Be ready for fine-tunings.")
    parser.add_argument("--report-fd", type=int, required=True, help="the pipe to say in that it is ready")
    parser.add_argument("--parent-pid", type=int, required=True, help="end when the parent ends")
    parser.add_argument("--gpu", action="store_true", help="leave out what touches a GPU when it is imported")
    return parser


def _next(orders: socket.socket) -> Order | None:
    message, files, _, _ = socket.recv_fds(orders, LONGEST_MESSAGE, 3)
    return Order(with_number(json.loads(message), files[1]), *files) if message else None


def _begin(order: Order, score: str | None) -> None:
    """Become like any other process of a run, with the worker's leave."""
    if score is not None:
        OOM_SCORE.write_text(score)
    with socket.socket(fileno=order.leash) as leash:
        leash.send(str(os.getpid()).encode())
        if not leash.recv(1):
            program.leave(Exit.ORPHANED)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for standard, file in enumerate((nothing, order.output, order.output)):
        os.dup2(file, standard)
    os.close(nothing)
    os.close(order.output)


def _first_to_go() -> str | None:
    """From here on the kernel takes this process, which has nothing to lose, before any that has work. What it was."""
    if not OOM_SCORE.exists():
        return None
    before = OOM_SCORE.read_text()
    OOM_SCORE.write_text(FIRST_TO_GO)
    return before


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
        gc.freeze()  # as `load_libraries` does; what is never looked at for garbage stays shared with every run
    else:
        program.load_libraries()
    loaded.set()


if __name__ == "__main__":
    program.leave(main())
