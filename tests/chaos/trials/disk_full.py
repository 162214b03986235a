"""From the Nth write to one place on the disk is full, and some time later it is not: nothing is lost, nothing half.

A run that could not go on says why and can be tried again; a request that could not be stored is told so.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.status import ENDED
from tests.chaos import invariants
from tests.chaos.house import House
from tests.chaos.shim import Shim
from tests.chaos.trial import Outcome, Seed, Trial

# What is written there, and whether only a real training writes it as the product does.
SITES = {
    "database": ("*/tuneboard.db*", False),
    "log": ("*/run.log", False),
    "upload": ("*/datasets/*", False),
    "checkpoint": ("*/checkpoints/*", True),
    "artifact": ("*/artifacts/*", True),
}
FULL_SECONDS = 3.0
ROWS = "".join(json.dumps({"instruction": f"Say {n}", "response": f"It is {n}."}) + "\n" for n in range(40))


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    shim = Shim(folder)
    with House(folder, environment=shim.environment) as house:
        yield lambda seed: _trial(house, shim, seed)
        shim.free()


def _trial(house: House, shim: Shim, seed: Seed) -> Outcome:
    site, nth = seed.turn(tuple(SITES)), 1 + seed.number // len(SITES) % 50
    pattern, real = SITES[site]
    run_id = house.launch(real=real)
    house.wait(run_id, lambda run: run["status"] == "running")
    shim.fill(pattern, nth)
    violations = list(_while_full(house, site, run_id))
    met = shim.count
    shim.free()
    began = time.monotonic()
    violations += _goes_on(house, run_id)
    recovery = time.monotonic() - began
    violations += [*_stored_again(house), *_nothing_half(house), *invariants.check(house)]
    note = f"{site}: full from write {nth} on, {max(0, met - nth + 1)} writes refused"
    return Outcome(violations, recovery, note)


def _while_full(house: House, site: str, run_id: int) -> Iterator[str]:
    """Writes are stored or told to come later; all can be read. Until the full disk has been met, and a while more."""
    deadline, most = time.monotonic() + FULL_SECONDS, time.monotonic() + 60
    while time.monotonic() < deadline:
        for answer in (_upload(house), house.api("POST", "/experiments", json={"name": f"{time.monotonic()}"})):
            if answer.status_code != 201 and not _is_told_to_wait(answer):
                yield f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:200]}"
        for path in ("/", f"/runs/{run_id}", "/datasets", "/api/v1/runs"):
            if (page := house.page(path)).status_code != 200:
                yield f"GET {path}: {page.status_code}"
        if site in ("checkpoint", "artifact") and house.run(run_id)["status"] not in ENDED:
            deadline = min(time.monotonic() + 0.5, most)  # of a real run: until it got there
        time.sleep(0.1)


def _upload(house: House) -> httpx.Response:
    return house.api("POST", "/datasets", files={"file": ("rows.jsonl", ROWS.encode())})


def _is_told_to_wait(answer: httpx.Response) -> bool:
    return (
        answer.status_code == 503 and int(answer.headers.get("Retry-After", 0)) > 0 and "Traceback" not in answer.text
    )


def _goes_on(house: House, run_id: int) -> Iterator[str]:
    """Completed, or failed for the disk's sake and completed by a second try."""
    yield from house.wait_all()
    run = house.run(run_id)
    if run["status"] == "failed":
        if run["error"]["code"] != "disk_full":
            yield f"run {run_id} failed with {run['error']}"
        if (answer := house.api("POST", f"/runs/{run_id}/retry")).status_code != 202:
            yield f"a retry was answered with {answer.status_code} {answer.text}"
        yield from house.wait_all()
    if (run := house.run(run_id))["status"] != "completed":
        yield f"run {run_id} is {run['status']}: {run['error']}"


def _stored_again(house: House) -> Iterator[str]:
    if (answer := _upload(house)).status_code != 201:
        yield f"with room again an upload is answered with {answer.status_code} {answer.text}"


def _nothing_half(house: House) -> Iterator[str]:
    """Every data set has its files, every folder its row, and no import left anything."""
    with house.connection() as connection:
        rows = {str(number): size for number, size in connection.execute("SELECT id, rows FROM dataset")}
    folders = {path.name for path in house.settings.datasets_dir.iterdir()}
    if set(rows) != folders:
        yield f"data sets {sorted(rows)} and folders {sorted(folders)}"
    for name in sorted(set(rows) & folders):
        file = house.settings.datasets_dir / name / "rows.jsonl"
        if not file.exists() or file.read_text().count("\n") != rows[name]:
            yield f"data set {name} has not the {rows[name]} rows that it says"
