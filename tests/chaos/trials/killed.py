"""kill -9 of the worker, its child or both, at any moment of a run from its start to its end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from app.status import ENDED
from tests.chaos import invariants
from tests.chaos.house import PLAN, House, until
from tests.chaos.trial import Outcome, Seed, Trial

PROMISED_SECONDS = 60.0
VICTIMS = ("child", "worker", "both")
RESTART_SECONDS = 1.0  # as the supervisor does it


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    with House(folder) as house:
        yield lambda random: _trial(house, random)


def _trial(house: House, random: Seed) -> Outcome:
    victim = random.choice(VICTIMS)
    moment = random.uniform(0, 1.05) * (PLAN["steps"] * PLAN["step_seconds"] + 1.0)
    run_id = house.launch()
    house.wait(run_id, lambda run: run["status"] != "queued")
    time.sleep(moment)
    run, before = house.run(run_id), len(set(house.lives(run_id)))
    died = time.monotonic()
    _kill(house, victim)
    until(lambda: len(set(house.lives(run_id))) > before or house.run(run_id)["status"] in ENDED, 180, "no new life")
    recovery = time.monotonic() - died
    violations = [*house.wait_all(), *_lost(house, run_id), *invariants.check(house)]
    if (ended := house.run(run_id))["status"] != "completed":
        violations.append(f"run {run_id} is {ended['status']}: {ended['error']}")
    if recovery > 3 * PROMISED_SECONDS:
        violations.append(f"run {run_id} went on after {recovery:.0f} s")
    where = f"stage {run['stage']}, step {run['progress']['step']}"
    return Outcome(violations, recovery, f"run {run_id}: kill -9 of {victim} at {moment:.2f} s, {where}")


def _kill(house: House, victim: str) -> None:
    if victim != "worker" and (child := house.child()):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    if victim != "child":
        house.kill_worker()
        time.sleep(RESTART_SECONDS)
        house.start_worker()


def _lost(house: House, run_id: int) -> list[str]:
    """An attempt begins at most one checkpoint interval before where the one before it was."""
    furthest, process, violations = 0, 0, []
    for pid, step in house.steps(run_id):
        if pid != process and furthest - (step - 1) > PLAN["checkpoint_every"]:
            violations.append(f"run {run_id}: {furthest - step + 1} steps were lost")
        furthest, process = max(furthest, step), pid
    return violations
