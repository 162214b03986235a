"""The threads beside the task: abandoned runs, lost wake-ups, the heartbeat."""

import sqlite3
import threading
from collections.abc import Callable

import pytest
from sqlmodel import select

from app.claims import Claim, claim
from app.db import Database, connect
from app.leases import holds, lease
from app.models import Attempt, Run, Worker
from app.processes import try_lock
from app.settings import Settings
from worker import sweeper
from worker.context import Context
from worker.device import Device
from worker.sweeper import Heart, Sweeper

RunOf = Callable[[int], Run]
AttemptsOf = Callable[[int], list[Attempt]]
Launch = Callable[..., int]

DEVICE = Device("CPU, made up, 2 cores", None, 1000, lambda: 400)


@pytest.fixture
def silent(database: Database, launch: Launch) -> Claim:
    """A run whose worker has not been heard of."""
    launch()
    with database.writing() as session:
        taken = claim(session, "gone", lease(-1))
    assert taken
    return taken


def wake_ups(context: Context, monkeypatch: pytest.MonkeyPatch, arrive: bool = True) -> list[tuple[int, str]]:
    sent: list[tuple[int, str]] = []

    def enqueue(_: object, run_id: int, queue: str) -> bool:
        sent.append((run_id, queue))
        return arrive

    monkeypatch.setattr(sweeper, "enqueue", enqueue)
    return sent


def test_an_abandoned_run_is_queued_again_with_the_reason(
    context: Context, silent: Claim, run_of: RunOf, attempts_of: AttemptsOf
) -> None:
    Sweeper(context).find_abandoned()
    assert run_of(silent.run_id).status == "queued"
    [attempt] = attempts_of(silent.run_id)
    assert (attempt.status, attempt.died, attempt.reason) == ("queued", True, "The worker of this run was lost")


def test_a_run_whose_lock_is_held_is_left_alone(
    context: Context, silent: Claim, run_of: RunOf, settings: Settings
) -> None:
    lock = try_lock(settings.run_dir(silent.run_id) / "lock")
    assert lock
    with lock:
        Sweeper(context).find_abandoned()
        assert run_of(silent.run_id).status == "running"
    Sweeper(context).find_abandoned()
    assert run_of(silent.run_id).status == "queued"


def test_a_run_with_a_live_lease_or_of_this_worker_is_left_alone(
    context: Context, silent: Claim, run_of: RunOf, launch: Launch, database: Database
) -> None:
    alive = launch()
    with database.writing() as session:
        claim(session, "alive", lease(60))
    context.claim = silent
    Sweeper(context).find_abandoned()
    assert (run_of(alive).status, run_of(silent.run_id).status) == ("running", "running")


def test_a_lease_renewed_in_the_last_moment_counts(
    context: Context, silent: Claim, run_of: RunOf, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock_after_renewal(path: object) -> object:
        with database.writing() as session:
            run = session.get_one(Run, silent.run_id)
            run.lease_until = lease(60).until
            session.commit()
        return try_lock(path)  # type: ignore[arg-type]

    monkeypatch.setattr(sweeper, "try_lock", lock_after_renewal)
    Sweeper(context).find_abandoned()
    assert run_of(silent.run_id).status == "running"


def test_a_run_that_takes_its_worker_down_three_times_has_failed(
    context: Context, launch: Launch, run_of: RunOf, database: Database
) -> None:
    run_id = launch()
    for _ in range(3):
        with database.writing() as session:
            assert claim(session, "gone", lease(-1))
        Sweeper(context).find_abandoned()
    assert run_of(run_id).status == "failed"
    assert run_of(run_id).error["code"] == "worker_lost"  # type: ignore[index]


def test_an_idle_worker_wakes_itself_for_what_waits(
    context: Context, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = wake_ups(context, monkeypatch)
    found = Sweeper(context)
    found.find_lost_wake_ups()
    assert sent == []  # nothing waits
    run_id = launch()
    found.find_lost_wake_ups()
    assert sent == [(run_id, "gpu.0")]


def test_a_busy_worker_sends_nothing_and_an_idle_one_does_not_flood_the_queue(
    context: Context, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = wake_ups(context, monkeypatch)
    launch()
    found = Sweeper(context)
    context.busy = True
    found.find_lost_wake_ups()
    assert sent == []
    context.busy = False
    for _ in range(5):
        found.find_lost_wake_ups()
    assert len(sent) == 1


def test_a_wake_up_that_did_not_leave_is_sent_again(
    context: Context, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = wake_ups(context, monkeypatch, arrive=False)
    launch()
    found = Sweeper(context)
    found.find_lost_wake_ups()
    found.find_lost_wake_ups()
    assert len(sent) == 2


def rows(database: Database) -> dict[str, Worker]:
    with database.reading() as session:
        return {row.name: row for row in session.exec(select(Worker))}


def test_a_heartbeat_tells_device_memory_and_run(context: Context, database: Database, silent: Claim) -> None:
    heart = Heart(context, DEVICE)
    context.claim = silent
    heart.beat()
    heart.beat()
    [row] = rows(database).values()
    assert (row.name, row.device, row.memory_total_bytes, row.memory_used_bytes) == (
        "cpu.1@here",
        "CPU, made up, 2 cores",
        1000,
        400,
    )
    assert row.run_id == silent.run_id
    assert holds(row.boot, row.beat_until)


def test_rows_of_dead_workers_go(context: Context, database: Database) -> None:
    with database.writing() as session:
        session.add(Worker(name="dead", hostname="h", pid=1, version="1", device="d", boot="before", beat_until=1e12))
        session.commit()
    Heart(context, DEVICE).beat()
    assert set(rows(database)) == {"cpu.1@here"}


def test_the_threads_end_with_the_block_and_take_the_row_with_them(
    context: Context, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "SWEEP_SECONDS", 0.01)
    before = set(threading.enumerate())
    with sweeper.running(context, DEVICE):
        while not rows(database):
            pass
        assert len(set(threading.enumerate()) - before) == 3
    assert set(threading.enumerate()) == before
    assert rows(database) == {}


def test_a_locked_database_does_not_end_the_threads(
    context: Context,
    settings: Settings,
    database: Database,
    silent: Claim,
    run_of: RunOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweeper, "SWEEP_SECONDS", 0.05)
    context.db = connect(settings.database, busy_timeout_ms=50)
    locker = sqlite3.connect(settings.data_dir / "tuneboard.db", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    with sweeper.running(context, DEVICE):
        threading.Event().wait(0.5)
        locker.execute("ROLLBACK")
        while run_of(silent.run_id).status != "queued" or not rows(database):
            threading.Event().wait(0.02)
    locker.close()
    context.db.dispose()
