"""The threads beside the task: abandoned runs, lost wake-ups, the heartbeat."""

import errno
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import Session, select

from app import claims, runs
from app.claims import Claim, claim
from app.db import Database, connect
from app.leases import holds, lease
from app.models import Attempt, Run, Worker
from app.processes import Identity, try_lock
from app.settings import Settings
from worker import sweeper
from worker.context import Context
from worker.device import Device
from worker.recorder import Recorder
from worker.run_log import RunLog
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
    found = claims.abandoned

    def renewed_meanwhile(session: Session) -> list[Claim]:
        late = found(session)
        with database.writing() as writing:
            writing.get_one(Run, silent.run_id).lease_until = lease(60).until
            writing.commit()
        return late

    monkeypatch.setattr(claims, "abandoned", renewed_meanwhile)
    Sweeper(context).find_abandoned()
    assert run_of(silent.run_id).status == "running"


def test_a_sweeper_that_waits_for_the_database_keeps_nobody_from_the_lock(
    context: Context, silent: Claim, settings: Settings
) -> None:
    context.db = connect(settings.database, busy_timeout_ms=3000)
    locker = sqlite3.connect(settings.data_dir / "tuneboard.db", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    sweeping = threading.Thread(target=Sweeper(context).find_abandoned)
    sweeping.start()
    for _ in range(20):
        threading.Event().wait(0.02)
        lock = try_lock(settings.run_dir(silent.run_id) / "lock") if settings.run_dir(silent.run_id).exists() else None
        if lock:
            lock.close()
    assert lock
    locker.execute("ROLLBACK")
    locker.close()
    sweeping.join()
    context.db.dispose()


def test_a_run_that_takes_its_worker_down_three_times_has_failed(
    context: Context, launch: Launch, run_of: RunOf, database: Database
) -> None:
    run_id = launch()
    for _ in range(3):
        with database.writing() as session:
            assert claim(session, "gone", lease(-1))
        Sweeper(context).find_abandoned()
    assert run_of(run_id).status == "failed"
    error = run_of(run_id).error
    assert error
    assert error["code"] == "crash_loop"
    assert error["detail"].startswith("Attempts 1, 2 and 3: The worker of this run was lost.")


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


def test_what_is_in_a_pause_wakes_nobody_until_it_is_due(
    context: Context, launch: Launch, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = wake_ups(context, monkeypatch)
    run_id = launch()
    found = Sweeper(context)
    for until, expected in ((lease(60), []), (lease(-0.001), [(run_id, "gpu.0")])):
        with database.writing() as session:
            run = session.get_one(Run, run_id)
            run.not_before_boot, run.not_before = until.boot, until.until
            session.commit()
        found.find_lost_wake_ups()
        assert sent == expected


def test_after_a_wake_up_was_taken_the_next_one_is_not_kept_waiting(
    context: Context, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = wake_ups(context, monkeypatch)
    launch()
    found = Sweeper(context)
    found.find_lost_wake_ups()
    context.wakes += 1
    found.find_lost_wake_ups()
    assert len(sent) == 2


class Ended(BaseException):
    """In place of the end of the process."""


@pytest.mark.parametrize(
    ("taken", "arrive", "ends"), [(False, True, True), (True, True, False), (False, False, False)], ids=str
)
def test_a_worker_that_gets_none_of_its_wake_ups_ends_itself(
    taken: bool,
    arrive: bool,
    ends: bool,
    context: Context,
    launch: Launch,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(sweeper, "REWAKE_SECONDS", 0.0)
    wake_ups(context, monkeypatch, arrive=arrive)
    launch()
    found = Sweeper(context)
    Heart(context, DEVICE).beat()
    for _ in range(sweeper.MOST_UNANSWERED):
        found.find_lost_wake_ups()
        context.wakes += taken
    if ends:
        with pytest.raises(Ended):
            found.find_lost_wake_ups()
        assert "the queue does not move" in caplog.text
        assert rows(database) == {}
    else:
        found.find_lost_wake_ups()


def test_the_half_minute_is_that_many_wake_ups() -> None:
    assert sweeper.REWAKE_SECONDS * sweeper.MOST_UNANSWERED == 30


@pytest.fixture
def stalled(silent: Claim, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock of the silent run, and has said who it is."""
    path = settings.run_dir(silent.run_id) / "lock"
    code = f"import pathlib, time; from app.processes import hold_lock; held = hold_lock(pathlib.Path({str(path)!r}))"
    with subprocess.Popen([sys.executable, "-c", f"{code}; print(flush=True); time.sleep(600)"], stdout=-1) as process:
        assert process.stdout
        process.stdout.readline()
        yield process
        process.kill()


def cancel(database: Database, run_id: int) -> None:
    with database.writing() as session:
        runs.cancel_run(session, run_id)


def test_a_stalled_run_says_so_and_its_worker_takes_that_back(
    context: Context, silent: Claim, stalled: subprocess.Popen[bytes], run_of: RunOf, settings: Settings
) -> None:
    Sweeper(context).find_abandoned()
    run = run_of(silent.run_id)
    assert (run.status, run.stage) == ("running", "no word from its worker, its process still lives")
    with RunLog(settings.run_dir(silent.run_id)) as log:
        recorder = Recorder(context, silent, run.model_copy(update={"stage": "training"}), log)
        assert recorder.flush()
    assert run_of(silent.run_id).stage == "training"


def test_a_cancel_of_a_stalled_run_kills_its_process_and_ends_it(
    context: Context, silent: Claim, stalled: subprocess.Popen[bytes], run_of: RunOf, database: Database
) -> None:
    found = Sweeper(context)
    found.find_abandoned()
    assert stalled.poll() is None
    cancel(database, silent.run_id)
    found.find_abandoned()
    assert stalled.wait(10) == -9
    found.find_abandoned()
    assert run_of(silent.run_id).status == "cancelled"


def test_a_process_that_only_has_the_number_of_a_stalled_one_is_never_killed(
    context: Context,
    silent: Claim,
    stalled: subprocess.Popen[bytes],
    run_of: RunOf,
    database: Database,
    settings: Settings,
) -> None:
    lock = settings.run_dir(silent.run_id) / "lock"
    known = Identity.read(lock)
    assert known
    lock.write_text(str(replace(known, started=known.started - 1)))
    cancel(database, silent.run_id)
    found = Sweeper(context)
    for _ in range(3):
        found.find_abandoned()
    assert stalled.poll() is None
    assert run_of(silent.run_id).status == "running"


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


def test_a_full_disk_does_not_end_the_threads(
    context: Context, database: Database, silent: Claim, run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "SWEEP_SECONDS", 0.02)
    tries: list[object] = []

    def full_at_first(path: Path) -> object:
        tries.append(path)
        if len(tries) < 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return try_lock(path)

    monkeypatch.setattr(sweeper, "try_lock", full_at_first)
    deadline = time.monotonic() + 20
    with sweeper.running(context, DEVICE):
        while run_of(silent.run_id).status != "queued" and time.monotonic() < deadline:
            time.sleep(0.02)
    assert len(tries) == 3
