"""Another process holds the database's lock for a while: readers do not notice, writers succeed or are told to wait.

The run that trains meanwhile spools what it measures, and all of it arrives.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from app.db import file_of
from tests.chaos import invariants
from tests.chaos.house import House
from tests.chaos.trial import Outcome, Seed, Trial

# Seconds: the first trials are short ones.
LOCKS = ((0.1, 1.0), (1.0, 3.0), (3.0, 6.0), (0.1, 30.0), (10.0, 30.0))
WAYS = ("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE", "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE")
CLIENTS = 3
PAGES = ("/", "/queue", "/experiments", "/api/v1/runs", "/api/v1/leaderboard", "/healthz")
# Promised: as if nothing were. Who waited for a lock would take as long as the longest ones do; what is quicker than
# this was kept waiting by a busy machine.
READ_SECONDS = 10.0


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    with House(folder) as house:
        yield lambda seed: _trial(house, seed)


class Client(threading.Thread):
    """Reads and writes in turn until it is told to stop; remembers what each write was answered with."""

    def __init__(self, house: House, name: str, act: Callable[["Client", httpx.Client], None]) -> None:
        super().__init__()
        self.house, self.prefix, self._act = house, name, act
        self.violations: list[str] = []
        self.answered: dict[str, int] = {}
        self.slowest = 0.0
        self.stopping = threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=self.house.url, timeout=60, trust_env=False) as http:
            while not self.stopping.is_set() and not self.violations:
                try:
                    self._act(self, http)
                except httpx.TransportError as error:
                    self.violations.append(f"a request got no answer: {error}")
                time.sleep(0.05)

    def read(self, http: httpx.Client) -> None:
        for path in (*PAGES, *(f"/runs/{run_id}" for run_id in list(self.house.acknowledged)[-1:])):
            began = time.monotonic()
            answer = http.get(path, headers={"Accept": "text/html"})
            self.slowest = max(self.slowest, took := time.monotonic() - began)
            if answer.status_code != 200 or took > READ_SECONDS:
                self.violations.append(f"GET {path} was answered with {answer.status_code} after {took:.1f} s")

    def write(self, http: httpx.Client) -> None:
        name = f"{self.prefix} {len(self.answered)}"
        answer = http.post("/api/v1/experiments", json={"name": name})
        self.answered[name] = answer.status_code
        if answer.status_code == 503 and int(answer.headers.get("Retry-After", 0)) > 0:
            return
        if answer.status_code != 201:
            self.violations.append(f"a write was answered with {answer.status_code}: {answer.text}")


def _trial(house: House, seed: Seed) -> Outcome:
    way, seconds = seed.choice(WAYS), seed.uniform(*seed.turn(LOCKS))
    run_id = house.launch()
    house.wait(run_id, lambda run: run["status"] == "running")
    time.sleep(seed.uniform(0, 3))
    clients = [Client(house, f"{seed.number}.{n}", Client.write) for n in range(CLIENTS)]
    clients += [Client(house, "", Client.read)]
    for client in clients:
        client.start()
    time.sleep(0.2)
    with _locked(house, way) as holds:
        time.sleep(seconds)
    released = time.monotonic()
    time.sleep(0.5)
    for client in clients:
        client.stopping.set()
        client.join()
    violations = [*(broken for client in clients for broken in client.violations), *_stored(house, clients)]
    violations += house.wait_all()
    recovery = time.monotonic() - released
    if (run := house.run(run_id))["status"] != "completed":
        violations.append(f"run {run_id} is {run['status']}: {run['error']}")
    answers = [status for client in clients for status in client.answered.values()]
    note = f"{way} ({'held' if holds else 'not to be had'}) for {seconds:.1f} s: {answers.count(201)} writes, "
    note += f"{answers.count(503)} told to wait, slowest read {max(client.slowest for client in clients):.2f} s"
    return Outcome([*violations, *invariants.check(house)], recovery, note)


@contextmanager
def _locked(house: House, way: str) -> Iterator[bool]:
    """Within the block; False where SQLite does not give the lock, as the whole file is not to be had from others."""
    *before, begin = way.split("; ")
    with closing(sqlite3.connect(file_of(house.settings.database), isolation_level=None, timeout=2)) as other:
        try:
            for statement in (*before, begin):
                other.execute(statement)
        except sqlite3.OperationalError:
            other.close()
            yield False
            return
        yield True
        other.execute("ROLLBACK")


def _stored(house: House, clients: list[Client]) -> Iterator[str]:
    """What was answered with 201 is there, and what was answered with 503 is not."""
    with house.connection() as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM experiment")}
    for client in clients:
        for name, status in client.answered.items():
            if (status == 201) != (name in names):
                yield f"experiment {name} was answered with {status} and is {'there' if name in names else 'not there'}"
