"""How many threads a training computes with on CPU."""

import os
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.2


def choose() -> int:
    """OMP_NUM_THREADS if set; else one for each core that is idle right now, at least one.

    Threads that share a core spin while they wait for each other: two on one core take four times as long as one.
    """
    if (given := os.environ.get("OMP_NUM_THREADS", "")).isdigit():
        return max(1, int(given))
    cores = min(psutil.cpu_count(logical=False) or 1, len(os.sched_getaffinity(0)), _quota())
    idle = 1 - psutil.cpu_percent(interval=SAMPLE_SECONDS) / 100
    return max(1, min(cores, round(idle * (os.cpu_count() or 1))))


def _quota() -> int:
    """Whole cores that a container may use (cgroup v2); no limit where there is none."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return 1_000_000
    return 1_000_000 if quota == "max" else max(1, int(quota) // int(period))
