"""A cancel at any moment ends the run and its process, also where process or worker does not want to or cannot."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from app.status import ENDED
from tests.chaos import invariants
from tests.chaos.house import House
from tests.chaos.trial import Outcome, Seed, Trial

# The worker looks for a cancel five times a second, and kills a child that has not ended in three.
PROMISED_SECONDS = 5.0
STEPS = 80
# What does not hear of its cancel must not come to its end by itself before it is made to.
LONG = 1000
DEAF = ("child ignores SIGTERM", "worker stands still")
CASES = ("plain", "child ignores SIGTERM", "worker stands still", "plain", "worker was killed")


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    with House(folder, workers=2) as house:
        yield lambda seed: _trial(house, seed)


def _trial(house: House, seed: Seed) -> Outcome:
    case, moment = seed.turn(CASES), seed.uniform(0, 5.0)
    run_id = house.launch(ignore_sigterm=case == "child ignores SIGTERM", steps=LONG if case in DEAF else STEPS)
    time.sleep(moment)
    index = house.holder(run_id)
    if index is not None and case == "worker stands still":
        house.hold_worker(index)
    if index is not None and case == "worker was killed":
        house.kill_worker(index)
    violations, took, note = _cancel(house, run_id)
    if index is not None and case == "worker stands still":
        house.kill_worker(index, signal.SIGCONT)
    if index is not None and case == "worker was killed":
        house.start_worker(index)
    if took > 3 * PROMISED_SECONDS:
        violations.append(f"run {run_id} was cancelled after {took:.1f} s")
    violations += [*house.wait_all(), *invariants.check(house)]
    return Outcome(violations, took, f"{case}, {note} after {moment:.2f} s")


def _cancel(house: House, run_id: int) -> tuple[list[str], float, str]:
    """What broke, how long it took until run and process were gone, and what the run was busy with."""
    before, asked = house.run(run_id), time.monotonic()
    answer = house.cancel(run_id)
    ended = house.wait(run_id, lambda run: run["status"] in ENDED, 90)
    while any(map(_lives, set(house.lives(run_id)))) and time.monotonic() < asked + 90:
        time.sleep(0.02)
    took, note = time.monotonic() - asked, f"{before['status']}, stage {before['stage']}"
    if answer.status_code == 409 and ended["status"] == "completed":
        return [], 0.0, f"{note}: it had ended"
    if not answer.is_success:
        return [f"run {run_id}: the cancel was answered with {answer.status_code}: {answer.text}"], took, note
    if ended["status"] != "cancelled":
        return [f"run {run_id} is {ended['status']} although its cancel was accepted"], took, note
    return [], took, note


def _lives(pid: int) -> bool:
    """A zombie has nothing left but its number, until a worker that stands still looks at it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
