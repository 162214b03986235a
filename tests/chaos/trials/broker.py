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
HARMS = ("kill -9", "FLUSHALL", "SIGTERM")


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    with House(folder) as house:
        yield lambda seed: _trial(house, seed)


def _trial(house: House, seed: Seed) -> Outcome:
    harm, down = seed.turn(HARMS), seed.choice(DOWN_SECONDS)
    before = [house.launch(steps=30) for _ in range(2)]
    time.sleep(seed.uniform(0, 2.0))
    if harm == "FLUSHALL":
        down = 0.0
        with Redis(unix_socket_path=str(house.settings.broker_socket)) as client:
            client.flushall()
    else:
        house.kill_broker(signal.SIGKILL if harm == "kill -9" else signal.SIGTERM)
    meanwhile = house.launch(steps=30)
    house.rest(down)
    if harm != "FLUSHALL":
        house.start_broker()
    back = time.monotonic()
    house.launch(steps=30)
    violations = house.wait_all(240)
    recovery = time.monotonic() - back
    for run_id in (*before, meanwhile):
        if (run := house.run(run_id))["status"] != "completed":
            violations.append(f"run {run_id} is {run['status']}: {run['error']}")
    return Outcome([*violations, *invariants.check(house)], recovery, f"{harm}, away for {down:.0f} s")
