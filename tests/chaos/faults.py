"""Faults in the real training, by a plan beside all runs: `python -m worker` with one thing that goes wrong in it.

The plan: {"kind": one of FAULTS, "step": the optimizer step in which it happens}. Each run meets it once.
"""

import ctypes
import json
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILE, MET = "fault.json", "fault.met"
GIGABYTE = 2**30


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def segfault() -> None:
    ctypes.string_at(0)


def leave() -> None:
    os._exit(7)


def raise_error() -> None:
    raise ValueError("a mistake that nobody foresaw")


def hang() -> None:
    time.sleep(100_000)


def fill_host_memory() -> None:
    """What is left of the address space is little, and the next large allocation is the training's own."""
    import torch

    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + GIGABYTE // 4, resource.RLIM_INFINITY))
    torch.ones(GIGABYTE)


def fill_python_memory() -> None:
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + GIGABYTE // 4, resource.RLIM_INFINITY))
    bytearray(GIGABYTE)


def fill_gpu_memory() -> None:
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 79.1 GiB in all.")


FAULTS: dict[str, Callable[[], None]] = {
    "SIGKILL": kill,
    "SIGSEGV": segfault,
    "abort": os.abort,
    "exit code": leave,
    "exception": raise_error,
    "hang": hang,
    "host memory": fill_host_memory,
    "python memory": fill_python_memory,
    "CUDA memory": fill_gpu_memory,
}


def run(folder: Path) -> int:
    """The training of the run in `folder`, from its command line, with the fault in it."""
    from worker import __main__ as program

    plan = json.loads((folder.parent / FILE).read_text())
    if plan["kind"] == "import":
        sys.modules["peft"] = None  # type: ignore[assignment]
    elif not (folder / MET).exists():
        load = program.load_libraries

        def loaded() -> Any:
            finetune = load()
            _arm(plan["kind"], plan["step"], folder / MET)
            return finetune

        program.load_libraries = loaded
    return program.main()


def _arm(kind: str, step: int, met: Path) -> None:
    """Before the forward passes of the step it happens; a loss that is no number, after them."""
    from worker.finetune.learner import Learner

    accumulate = Learner._accumulate

    def accumulated(learner: Learner, *args: Any) -> Any:
        now = learner.scheduler.last_epoch + 1 == step
        if now:
            met.touch()
        if now and kind in FAULTS:
            FAULTS[kind]()
        loss = accumulate(learner, *args)
        return loss * math.nan if now and kind == "NaN" else loss

    Learner._accumulate = accumulated  # type: ignore[method-assign]
