"""Leases: until when a worker's word counts, on a clock that nobody can set.

A lease is the boot id with seconds of CLOCK_MONOTONIC, which all processes of a machine share: setting the date
neither ends nor prolongs one, and a reboot ends them all.
"""

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Lease:
    boot: str
    until: float

    @property
    def holds(self) -> bool:
        return self.boot == boot() and time.monotonic() < self.until


def lease(seconds: float) -> Lease:
    """One that begins now."""
    return Lease(boot(), time.monotonic() + seconds)


def holds(boot_id: str | None, until: float | None) -> bool:
    """Whether a lease stored as two columns still counts; one that was never given does not."""
    return boot_id is not None and until is not None and Lease(boot_id, until).holds


def seconds_until(boot_id: str | None, moment: float | None) -> float:
    """Until a moment stored as two columns; 0 for one that is past, of another boot, or was never given."""
    if boot_id != boot() or moment is None:
        return 0.0
    return max(0.0, moment - time.monotonic())


@cache
def boot() -> str:
    """Names this boot of the machine; where the kernel keeps no such id, all boots count as one."""
    return BOOT_ID.read_text(encoding="ascii").strip() if BOOT_ID.exists() else "boot"
