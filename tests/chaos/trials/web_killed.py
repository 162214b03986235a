"""SIGKILL of the web while clients create runs: what got 201 is there, and a key sent again makes no second one."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.chaos import invariants
from tests.chaos.house import House
from tests.chaos.trial import Outcome, Seed, Trial
from tests.worker.fake_child import DEFAULTS

CLIENTS, RUNS_EACH, MOST_KILLS = 3, 3, 3
SECONDS = 120.0


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    with House(folder) as house:
        house.plan_for_all(DEFAULTS)  # short runs: what counts here is that they are there
        yield lambda seed: _trial(house, seed)


class Client(threading.Thread):
    """Launches runs, each under a key of its own that it sends again until it is answered with 201."""

    def __init__(self, house: House, pause: float) -> None:
        super().__init__()
        self.house, self.pause = house, pause
        self.answered: dict[str, list[int]] = {}  # by key, which is the run's name too
        self.violations: list[str] = []

    def run(self) -> None:
        with httpx.Client(base_url=self.house.url, timeout=10, trust_env=False) as http:
            for _ in range(RUNS_EACH):
                self._launch(http, f"{uuid.uuid4()}")
                time.sleep(self.pause)

    def _launch(self, http: httpx.Client, key: str) -> None:
        """And once more after the answer, as a client would that never got it."""
        deadline = time.monotonic() + SECONDS
        body = self.house.body() | {"name": key}
        while len(self.answered.get(key, [])) < 2:
            if time.monotonic() > deadline:
                self.violations.append(f"{key} was not answered in {SECONDS:.0f} s")
                return
            with suppress(httpx.TransportError):
                answer = http.post("/api/v1/runs", json=body, headers={"Idempotency-Key": key})
                if answer.status_code == 201:
                    self.answered.setdefault(key, []).append(answer.json()["id"])
                    continue
                if answer.status_code != 503:
                    self.violations.append(f"a launch was answered with {answer.status_code}: {answer.text}")
                    return
            time.sleep(0.05)


def _trial(house: House, seed: Seed) -> Outcome:
    clients = [Client(house, seed.uniform(0, 0.3)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    kills = [seed.uniform(0, 0.6) for _ in range(seed.randint(1, MOST_KILLS))]
    for moment in kills:
        time.sleep(moment)
        house.kill_web()
        time.sleep(seed.uniform(0, 0.5))
        house.start_web()
        house.wait_for_web()
    for client in clients:
        client.join()
    answered = {key: ids for client in clients for key, ids in client.answered.items()}
    house.acknowledged |= {run_id: DEFAULTS for ids in answered.values() for run_id in ids}
    violations = [broken for client in clients for broken in client.violations]
    violations += list(_once_each(house, answered))
    _keep_a_few(house, seed)
    violations += [*house.wait_all(), *invariants.check(house)]
    return Outcome(violations, None, f"{len(kills)} kills of the web among {len(answered)} launches")


def _keep_a_few(house: House, seed: Seed) -> None:
    """All are there; to see that they run, two are enough."""
    waiting = [run_id for run_id in house.acknowledged if house.run(run_id)["status"] == "queued"]
    for run_id in seed.sample(waiting, max(0, len(waiting) - 2)):
        house.cancel(run_id)


def _once_each(house: House, answered: dict[str, list[int]]) -> Iterator[str]:
    with house.connection() as connection:
        stored = Counter(name for (name,) in connection.execute("SELECT name FROM run"))
    for key, ids in answered.items():
        if len(set(ids)) != 1:
            yield f"one key was answered with the runs {sorted(set(ids))}"
        if stored[key] != 1:
            yield f"the run of a key that was answered with 201 is there {stored[key]} times"
