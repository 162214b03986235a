"""How many threads a training computes with on CPU."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.15


def watch() -> Callable[[], int]:
    """Look from now on how busy others keep the cores; what it gives tells how many threads to compute with.

    OMP_NUM_THREADS if set; else one for each core that nobody else uses, at least one. Threads that share a core spin
    while they wait for each other: two on one core take four times as long as one.
    """
    began, spent = time.monotonic(), time.process_time()
    psutil.cpu_percent()  # the next call tells of the time since this one

    def choose() -> int:
        if (given := os.environ.get("OMP_NUM_THREADS", "")).isdigit():
            return max(1, int(given))
        time.sleep(max(0.0, began + SAMPLE_SECONDS - time.monotonic()))
        ours = (time.process_time() - spent) / (time.monotonic() - began)
        cores = os.cpu_count() or 1
        idle = cores * (1 - psutil.cpu_percent() / 100) + ours
        return max(1, min(_allowed(), round(idle)))

    return choose


def _allowed() -> int:
    return min(psutil.cpu_count(logical=False) or 1, len(os.sched_getaffinity(0)), _quota())


def _quota() -> int:
    """Whole cores that a container may use (cgroup v2); no limit where there is none."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return 1_000_000
    return 1_000_000 if quota == "max" else max(1, int(quota) // int(period))
