"""kill -9 of the worker, its child or both, at any moment of a run from its start to its end; and now and then of the
process that waits for the next run.

What died is started again by `tuneboard up`. From the tenth on, one run in ten trains for real.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from app.status import ENDED, STAGES
from tests.chaos import invariants
from tests.chaos.house import PLAN, House, until
from tests.chaos.supervised import Supervised
from tests.chaos.trial import Outcome, Seed, Trial

PROMISED_SECONDS = 60.0
VICTIMS = ("child", "worker", "both")
REAL_EVERY = 10
SHORT = {"training": {"num_train_epochs": 6}, "evaluation": {"max_new_tokens": 8}}
# How long a run of the stand-in lasts, about: a little more, so that some are met in their very last moments.
LASTS = 4.5
MOMENTS = (("preparing", LASTS), ("preparing", LASTS), ("preparing", LASTS), ("preparing", 0.3), ("saving", 0.15))


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    with Supervised(folder) as house:
        yield lambda seed: _trial(house, seed)


def _trial(house: Supervised, seed: Seed) -> Outcome:
    victim, real = seed.choice(VICTIMS), seed.number > 0 and seed.number % REAL_EVERY == 0
    run_id = house.launch(SHORT, real=real)
    moment = wait_for_a_moment(house, run_id, seed)
    run, died = house.run(run_id), time.monotonic()
    _kill(house, victim)
    if seed.random() < 0.5 and (spare := house.spare()):
        with suppress(psutil.NoSuchProcess):
            spare.kill()
    until(lambda: _went_on(house, run_id, run["attempt"]), 3 * PROMISED_SECONDS, f"run {run_id} did not go on")
    recovery = time.monotonic() - died
    violations = [*house.wait_all(), *lost(house, run_id, PLAN["checkpoint_every"]), *invariants.check(house)]
    if (ended := house.run(run_id))["status"] != "completed":
        violations.append(f"run {run_id} is {ended['status']}: {ended['error']}")
    where = f"stage {run['stage']}, step {run['progress']['step']}"
    note = f"{'real ' if real else ''}run {run_id}: kill -9 of {victim} {moment}, {where}"
    return Outcome(violations, recovery, note)


def wait_for_a_moment(house: House, run_id: int, seed: Seed) -> str:
    """Any time from a run's claim to its end, its first and last moments more often than they last.

    Of a real run, whose stages take as long as they like: any of its stages.
    """
    if house.acknowledged[run_id] is None:
        stage, pause = seed.choice(STAGES), seed.uniform(0, 1.5)
    else:
        stage, longest = seed.choice(MOMENTS)
        pause = seed.uniform(0, longest)
    later = (*STAGES[STAGES.index(stage) :], None)
    artifacts = house.settings.run_dir(run_id) / "artifacts"
    house.wait(
        run_id,
        lambda run: run["status"] != "queued" and (run["stage"] in later or (stage == "saving" and artifacts.exists())),
        180,
    )
    time.sleep(pause)
    return f"{pause:.2f} s after the beginning of its {stage}"


def _kill(house: Supervised, victim: str) -> None:
    child = house.child()
    if victim != "worker" and child:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    if victim != "child":
        house.kill_worker()


def _went_on(house: Supervised, run_id: int, attempt: int) -> bool:
    """A later attempt's child is at its work, or there was nothing left to do."""
    run = house.run(run_id)
    return run["status"] in ENDED or (run["attempt"] > attempt and run["stage"] not in (None, "preparing"))


def lost(house: Supervised, run_id: int, most: int) -> list[str]:
    """An attempt begins at most so many steps before where the one before it was."""
    furthest, process, violations = 0, 0, []
    for pid, step in house.steps(run_id):
        if pid != process and furthest - (step - 1) > most:
            violations.append(f"run {run_id}: {furthest - step + 1} steps were lost")
        furthest, process = max(furthest, step), pid
    return violations
