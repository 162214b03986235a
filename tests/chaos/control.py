"""The negative control: the trial of `once` on a product that has nothing left to keep that promise with."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.house import House
from tests.chaos.trial import Trial
from tests.chaos.trials import once


class Unguarded(House):
    def worker_command(self) -> list[str]:
        return [sys.executable, "-m", "tests.chaos.unguarded", "worker"]


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    with Unguarded(folder, workers=2, lease=once.LEASE_SECONDS) as house:
        yield lambda seed: once.trial(house, seed)
