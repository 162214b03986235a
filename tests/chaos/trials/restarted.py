"""`tuneboard up` is stopped by a signal and started again: the queue is as it was, and progress is kept.

Two runs in twelve train for real.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from tests.chaos import invariants
from tests.chaos.house import PLAN
from tests.chaos.supervised import Supervised
from tests.chaos.trial import Outcome, Seed, Trial
from tests.chaos.trials.killed import SHORT, lost, wait_for_a_moment

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
# The longest that a part is given to end, and the broker and the web after it.
PROMISED_SECONDS = 8.0
REAL = (3, 8)  # with SIGTERM and with SIGKILL
ATTEMPTS = "SELECT first_step, last_step FROM attempt WHERE run_id = ? ORDER BY number"


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    with Supervised(folder) as house:
        yield lambda seed: _trial(house, seed)


def _trial(house: Supervised, seed: Seed) -> Outcome:
    number, real = seed.turn(SIGNALS), seed.number % 12 in REAL
    first, second = house.launch(SHORT, real=real), house.launch(steps=30)
    moment = wait_for_a_moment(house, first, seed)
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
    if number != signal.SIGKILL:
        violations += _made_again(house, first)
    for run_id in (first, second):
        if (run := house.run(run_id))["status"] != "completed":
            violations.append(f"run {run_id} is {run['status']}: {run['error']}")
    note = f"{number.name} {moment}, stage {before['stage']}, gone in {took:.1f} s{', a real run' if real else ''}"
    return Outcome([*violations, *invariants.check(house)], recovery, note)


def _kept(house: Supervised, number: signal.Signals, run_ids: tuple[int, ...]) -> Iterator[str]:
    """A stop in good order leaves no run `running`."""
    for run_id in run_ids:
        run = house.run(run_id)
        if number != signal.SIGKILL and run["status"] == "running":
            yield f"run {run_id} is left running by {number.name}"
        if run["status"] in ("failed", "cancelled"):
            yield f"run {run_id} is {run['status']} by {number.name}: {run['error']}"


def _made_again(house: Supervised, run_id: int) -> Iterator[str]:
    """By the rows alone, as real training tells nobody else: an attempt goes on where the one before it ended."""
    with house.connection() as connection:
        attempts = connection.execute(ATTEMPTS, (run_id,)).fetchall()
    for (_, last), (first, furthest) in pairwise(attempts):
        if first <= last < furthest:  # one that had nothing left to train stands where it began
            yield f"run {run_id}: step {last} was done, and {first} was the next one"
