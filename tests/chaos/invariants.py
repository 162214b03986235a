"""The one checker after every trial: what must be true of a Tuneboard whatever was done to it."""

import hashlib
import json
import stat
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import psutil

from app.status import ENDED
from tests.chaos import history
from tests.chaos.house import House
from tests.worker.fake_child import losses

SETTLE_SECONDS = 20.0
LOSSES = """SELECT step, value FROM metricpoint JOIN metricname ON metricname.id = metricpoint.name_id
WHERE run_id = ? AND name = 'train/loss' ORDER BY step"""
ATTEMPTS = "SELECT number, status FROM attempt WHERE run_id = ? ORDER BY number"


def check(house: House) -> list[str]:
    """Everything that is broken, in words; to be asked when all acknowledged runs have ended."""
    return [
        *_acknowledged(house),
        *_histories(house),
        *(broken for run_id in sorted(house.acknowledged) for broken in _run(house, run_id)),
        *_database(house),
        *_nothing_left(house),
    ]


def _acknowledged(house: House) -> Iterator[str]:
    with house.connection() as connection:
        stored = {row[0] for row in connection.execute("SELECT id FROM run")}
    for run_id in sorted(set(house.acknowledged) - stored):
        yield f"run {run_id} was answered with 201 and is not there"


def _histories(house: House) -> Iterator[str]:
    with house.connection() as connection:
        happened = history.moves(connection)
    for moves in happened.values():
        yield from history.violations(moves)


def _run(house: House, run_id: int) -> Iterator[str]:
    yield from (f"run {run_id}: {broken}" for broken in _attempts(house, run_id))
    yield from (f"run {run_id}: {broken}" for broken in _twice(house, run_id))
    yield from (f"run {run_id}: {broken}" for broken in _points(house, run_id))
    yield from (f"run {run_id}: {broken}" for broken in _files(house.settings.run_dir(run_id)))


def _attempts(house: House, run_id: int) -> Iterator[str]:
    """Each attempt counted once and ended, the last one as its run did."""
    with house.connection() as connection:
        attempts = connection.execute(ATTEMPTS, (run_id,)).fetchall()
        row = connection.execute("SELECT status, attempt, owner, lease_until FROM run WHERE id = ?", (run_id,))
        status, count, owner, lease = row.fetchone() or ("missing", 0, None, None)
    if [number for number, _ in attempts] != list(range(1, count + 1)):
        yield f"attempt {count} and rows of {[number for number, _ in attempts]}"
    if status in ENDED and (owner or lease):
        yield f"{status}, and still owned by {owner}"
    if status in ENDED and any(ending == "running" for _, ending in attempts):
        yield f"{status}, and of its attempts one still runs: {attempts}"


def _twice(house: House, run_id: int) -> Iterator[str]:
    """A process that comes back after another one lived in the same run: two were alive at once."""
    for what, pids in {"steps": [pid for pid, _ in house.steps(run_id)], "life": house.lives(run_id)}.items():
        order = [pid for pid, _ in groupby(pids)]
        if len(order) != len(set(order)):
            yield f"two processes at once ({what}): {shortened(order)}"


def _points(house: House, run_id: int) -> Iterator[str]:
    """Every step once, none missing, and each value the one that an undisturbed run has."""
    with house.connection() as connection:
        points = connection.execute(LOSSES, (run_id,)).fetchall()
    status = house.run(run_id)["status"] if points else None
    steps, values = [step for step, _ in points], [value for _, value in points]
    if steps != list(range(1, len(steps) + 1)):
        yield f"the steps of its points are {shortened(_runs_of(steps))}"
    if plan := house.acknowledged[run_id]:
        whole = losses(plan["steps"])
        if values != whole[: len(values)]:
            yield f"losses that no undisturbed run has, from step {_first_difference(values, whole) + 1} on"
        if status == "completed" and len(values) != len(whole):
            yield f"completed with {len(values)} of {len(whole)} points"
        yield from _no_step_left_out(house.steps(run_id))


def _runs_of(steps: list[int]) -> list[str]:
    """[1, 2, 3, 7, 8] -> ["1 to 3", "7 to 8"]."""
    groups = [[step for _, step in group] for _, group in groupby(enumerate(steps), lambda pair: pair[1] - pair[0])]
    return [f"{group[0]} to {group[-1]}" for group in groups]


def shortened(things: Sequence[object]) -> str:
    shown = ", ".join(map(str, things[:8]))
    return shown if len(things) <= 8 else f"{shown}, ... ({len(things)} in all)"


def _first_difference(values: list[float], whole: list[float]) -> int:
    return next((n for n, (one, other) in enumerate(zip(values, whole, strict=False)) if one != other), len(whole))


def _no_step_left_out(steps: list[tuple[int, int]]) -> Iterator[str]:
    """Each process counts up by one, and begins where one before it has been."""
    furthest = 0
    for _, group in groupby(steps, key=lambda pair: pair[0]):
        mine = [step for _, step in group]
        if mine != list(range(mine[0], mine[0] + len(mine))):
            yield f"one attempt made the steps {shortened(_runs_of(mine))}"
        if mine[0] > furthest + 1:
            yield f"an attempt began with step {mine[0]}, and {furthest} was the last one made"
        furthest = max(furthest, mine[-1])


def _files(run_dir: Path) -> Iterator[str]:
    """What manifests list is there, whole."""
    artifacts = run_dir / "artifacts" / "manifest.json"
    if artifacts.exists():
        for item in json.loads(artifacts.read_text()):
            if sha256(artifacts.with_name(item["name"])) != item["sha256"]:
                yield f"artifact {item['name']} is not what its manifest says"
    for manifest in sorted(run_dir.glob("checkpoints/step-*/manifest.json")):
        for name, digest in json.loads(manifest.read_text())["sha256"].items():
            if sha256(manifest.with_name(name)) != digest:
                yield f"{name} of checkpoint {manifest.parent.name} is not what its manifest says"
    points = run_dir / "artifacts" / "metrics.jsonl"
    if artifacts.exists() and points.exists():
        keys = [(point["name"], point["step"]) for point in map(json.loads, points.read_text().splitlines())]
        if len(keys) != len(set(keys)):
            yield "its metrics.jsonl has a point twice"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"


def _database(house: House) -> Iterator[str]:
    with house.connection() as connection:
        if (answer := connection.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
            yield f"PRAGMA integrity_check: {answer}"
        if answer := connection.execute("PRAGMA foreign_key_check").fetchall():
            yield f"PRAGMA foreign_key_check: {answer}"


def _nothing_left(house: House) -> list[str]:
    """Strays are given a moment: what was killed a millisecond ago may still be on its way out."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (found := [*_processes(house), *_strays(house)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _processes(house: House) -> Iterator[str]:
    spares = (house.spare(worker) for worker in range(len(house.workers)))
    ours = {process.pid for process in (*house.parts(), *spares) if process}
    for process in house.processes():
        if process.pid not in ours:
            try:
                yield f"a stray process: {process.pid} {' '.join(process.cmdline())} of parent {process.ppid()}"
            except psutil.Error:
                continue


def _strays(house: House) -> Iterator[str]:
    """Sockets beside the broker's, and what is only there while something is being written."""
    for folder in (house.settings.data_dir, house.runtime):
        for path in folder.rglob("*"):
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:
                continue
            if stat.S_ISSOCK(mode) and path != house.settings.broker_socket:
                yield f"a stray socket: {path}"
            if path.name.endswith(".tmp") or path.name.startswith(".step-"):
                yield f"a temporary file: {path}"
