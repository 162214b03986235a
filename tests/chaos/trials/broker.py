"""The broker is killed, stopped, emptied or away for a minute: whatever was queued before, meanwhile or after runs."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from tests.chaos import invariants
from tests.chaos.house import House
from tests.chaos.trial import Outcome, Seed, Trial

DOWN_SECONDS = (0.0, 20.0, 60.0)
SHORT = 30
HARMS = ("kill -9", "FLUSHALL", "SIGTERM")


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    with House(folder) as house:
        yield lambda seed: _trial(house, seed)


def _trial(house: House, seed: Seed) -> Outcome:
    harm, down = seed.turn(HARMS), seed.choice(DOWN_SECONDS)
    runs = [house.launch(steps=SHORT) for _ in range(seed.randint(0, 2))]
    time.sleep(seed.uniform(0, 2.0))
    if harm == "FLUSHALL":
        runs.append(_lose_a_message(house))
    else:
        house.kill_broker(signal.SIGKILL if harm == "kill -9" else signal.SIGTERM)
        runs.append(house.launch(steps=SHORT))
        house.rest(down)
        house.start_broker()
    back = time.monotonic()
    violations = house.wait_all()  # by itself: a launch now would wake the worker for all of them
    recovery = time.monotonic() - back
    runs.append(house.launch(steps=SHORT))
    violations += house.wait_all()
    for run_id in runs:
        if (run := house.run(run_id))["status"] != "completed":
            violations.append(f"run {run_id} is {run['status']}: {run['error']}")
    away = "" if harm == "FLUSHALL" else f", away for {down:.0f} s"
    return Outcome([*violations, *invariants.check(house)], recovery, f"{harm}{away}, {len(runs) - 1} runs waited")


def _lose_a_message(house: House) -> int:
    """Empty the broker while nobody can have taken a wake-up from it."""
    house.hold_worker()
    run_id = house.launch(steps=SHORT)
    with Redis(unix_socket_path=str(house.settings.broker_socket)) as client:
        client.flushall()
    house.kill_worker(0, signal.SIGCONT)
    return run_id
