"""`tuneboard up` is stopped by a signal and started again: the queue is as it was, and progress is kept."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos import invariants
from tests.chaos.house import PLAN
from tests.chaos.supervised import Supervised
from tests.chaos.trial import Outcome, Seed, Trial
from tests.chaos.trials.killed import lost

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
# The longest that a part is given to end, and the broker and the web after it.
PROMISED_SECONDS = 8.0


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    with Supervised(folder) as house:
        yield lambda seed: _trial(house, seed)


def _trial(house: Supervised, seed: Seed) -> Outcome:
    number, moment = seed.turn(SIGNALS), seed.uniform(0, 4.5)
    first, second = house.launch(), house.launch(steps=30)
    house.wait(first, lambda run: run["status"] != "queued")
    time.sleep(moment)
    before = house.run(first)
    took = house.end_up(number)
    violations = list(_kept(house, number, (first, second)))
    if took > 3 * PROMISED_SECONDS:
        violations.append(f"{number.name} took {took:.1f} s")
    began = time.monotonic()
    house.start()
    violations += house.wait_all()
    recovery = time.monotonic() - began
    # Asked to stop it writes a checkpoint: then not one step is made again.
    violations += lost(house, first, PLAN["checkpoint_every"] if number == signal.SIGKILL else 0)
    for run_id in (first, second):
        if (run := house.run(run_id))["status"] != "completed":
            violations.append(f"run {run_id} is {run['status']}: {run['error']}")
    note = f"{number.name} after {moment:.2f} s, stage {before['stage']}, gone in {took:.1f} s"
    return Outcome([*violations, *invariants.check(house)], recovery, note)


def _kept(house: Supervised, number: signal.Signals, run_ids: tuple[int, ...]) -> Iterator[str]:
    """A stop in good order leaves no run `running`."""
    for run_id in run_ids:
        run = house.run(run_id)
        if number != signal.SIGKILL and run["status"] == "running":
            yield f"run {run_id} is left running by {number.name}"
        if run["status"] in ("failed", "cancelled"):
            yield f"run {run_id} is {run['status']} by {number.name}: {run['error']}"
