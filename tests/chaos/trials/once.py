"""Never twice at once: duplicate messages, and a holder of the lease that stands still for longer than it lasts."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from app.queue import QUEUE, celery_app, enqueue
from tests.chaos import invariants
from tests.chaos.house import House
from tests.chaos.trial import Outcome, Seed, Trial

LEASE_SECONDS = 2.0
# 5.8 s: the child of a worker that stands still must be at work when the lease is over and others look for the run.
STEPS = 130
VICTIMS = ("worker", "child", "worker and child")


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    with House(folder, workers=2, lease=LEASE_SECONDS) as house:
        yield lambda seed: trial(house, seed)


def trial(house: House, seed: Seed) -> Outcome:
    victim = seed.turn(VICTIMS)
    moment, pause = seed.uniform(0, 1.5), seed.uniform(LEASE_SECONDS + 0.5, 2.5 * LEASE_SECONDS)
    run_id = house.launch(steps=STEPS)
    _wake_again(house, seed, run_id)
    house.wait(run_id, lambda run: run["status"] != "queued")
    time.sleep(moment)
    stopped = _stop(house, run_id, victim)
    _wake_again(house, seed, run_id)
    time.sleep(pause)
    _wake_again(house, seed, run_id)
    for process in stopped:
        with suppress(psutil.NoSuchProcess):
            process.resume()
    violations = house.wait_all()
    if (run := house.run(run_id))["status"] != "completed":
        violations.append(f"run {run_id} is {run['status']}: {run['error']}")
    note = f"{victim} stopped for {pause:.1f} s after {moment:.2f} s; {run['attempt']} attempts"
    return Outcome([*violations, *invariants.check(house)], None, note)


def _wake_again(house: House, seed: Seed, run_id: int) -> None:
    """Messages that nobody needs, to all workers or to one."""
    celery = celery_app(house.settings.broker_url)
    for _ in range(seed.randint(1, 4)):
        enqueue(celery, run_id, seed.choice((QUEUE, f"{QUEUE}.0")))
    celery.close()


def _stop(house: House, run_id: int, victim: str) -> list[psutil.Process]:
    """Have the worker that holds the run, its child, or both stand still."""
    index = house.holder(run_id)
    if index is None:
        return []
    worker, child = house.workers[index], house.child(index)
    chosen = [worker] if victim == "worker" else [child] if victim == "child" else [worker, child]
    stopped = [process for process in chosen if process]
    for process in stopped:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)
    return stopped
