"""The task's body with the real database and a real child process, that trains nothing."""

import errno
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import select, update

from app.db import Database, connect
from app.models import Attempt, Baseline, MetricName, MetricPoint, Run, RunValue
from app.processes import try_lock
from app.settings import Settings
from app.status import ENDED
from worker import follow, job
from worker.context import Context
from worker.run_log import RunLog
from worker.sweeper import Sweeper
from worker.tasks import work

RunOf = Callable[[int], Run]
AttemptsOf = Callable[[int], list[Attempt]]
Launch = Callable[..., int]


def series(database: Database, run_id: int, name: str) -> dict[int, float | None]:
    with database.reading() as session:
        points = select(MetricPoint).join(MetricName).where(MetricName.name == name, MetricPoint.run_id == run_id)
        return {point.step: point.value for point in session.exec(points)}


@contextmanager
def at_work(context: Context) -> Iterator[None]:
    """The task in a thread of its own; it must end by itself."""
    thread = threading.Thread(target=work, args=(context,))
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
        assert not thread.is_alive()


def work_until_over(context: Context, run_of: RunOf, run_id: int) -> Run:
    """As a worker does whose sweeper wakes it after each pause."""
    while run_of(run_id).status not in ENDED:
        work(context)
        time.sleep(0.02)
    return run_of(run_id)


def wait_for(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def ask_to_cancel(database: Database, run_id: int) -> None:
    with database.writing() as session:
        session.exec(update(Run).where(Run.id == run_id).values(cancel_requested=True))
        session.commit()


def test_a_run_goes_through(
    context: Context, launch: Launch, run_of: RunOf, attempts_of: AttemptsOf, database: Database, fake: ModuleType
) -> None:
    run_id = launch(steps=6)
    work(context)
    run = run_of(run_id)
    assert (run.status, run.attempt, run.step, run.total_steps, run.fraction) == ("completed", 1, 6, 6, 1.0)
    assert (run.owner, run.lease_until, run.stage, run.error) == (None, None, None, None)
    assert run.results
    assert run.results["finetuned"]["bleu"] == 0.5
    assert (run.fingerprint, run.perplexity_key, run.baseline_key) == ("f", "p", "base-key")
    assert run.resources
    assert 0 < run.resources["startup_seconds"] < 60
    assert run.warnings == ["This was not real training."]
    assert list(series(database, run_id, "train/loss").values()) == fake.losses(6)
    [attempt] = attempts_of(run_id)
    assert (attempt.status, attempt.worker, attempt.last_step) == ("completed", "cpu.1@here", 6)


def test_what_tables_sort_by_is_kept_apart_from_the_series(
    context: Context, launch: Launch, database: Database, fake: ModuleType
) -> None:
    run_id = launch(steps=6)
    work(context)
    with database.reading() as session:
        values = {v.name: (v.last, v.best) for v in session.exec(select(RunValue).where(RunValue.run_id == run_id))}
        baseline = session.get_one(Baseline, "base-key")
    losses = fake.losses(6)
    assert values["train/loss"] == (losses[-1], min(losses))
    assert values["eval/bleu"] == (0.5, 0.5)
    assert baseline.metrics["perplexity"] == 30.0


def test_a_completed_run_offers_its_files(context: Context, launch: Launch, settings: Settings) -> None:
    run_id = launch()
    work(context)
    folder = settings.run_dir(run_id) / "artifacts"
    manifest = {item["name"]: item for item in json.loads((folder / "manifest.json").read_text())}
    assert set(manifest) == {"adapter.zip", "config.json", "metrics.jsonl", "predictions.jsonl", "run.log"}
    assert all(item["size_bytes"] == (folder / name).stat().st_size for name, item in manifest.items())
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert sorted({line["step"] for line in lines}) == [1, 2, 3, 4, 5, 6]
    assert "Completed" in (folder / "run.log").read_text()


def test_runs_are_taken_in_the_order_of_the_queue(
    context: Context, launch: Launch, run_of: RunOf, database: Database
) -> None:
    ids = [launch(steps=1) for _ in range(3)]
    with database.writing() as session:
        session.exec(update(Run).where(Run.id == ids[0]).values(queue_position=5.0))
        session.commit()
    work(context)
    starts = [run_of(i).started_at for i in (ids[1], ids[2], ids[0])]
    assert all(run_of(i).status == "completed" for i in ids)
    assert starts == sorted(s for s in starts if s)


def test_a_failed_run_never_stops_those_behind_it(context: Context, launch: Launch, run_of: RunOf) -> None:
    ids = [launch(fault="fail:out_of_memory"), launch(fault="kill"), launch(steps=1)]
    work(context)
    assert [run_of(run_id).status for run_id in ids] == ["failed", "failed", "completed"]


def test_the_child_gets_no_secret(
    context: Context, launch: Launch, run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "TUNEBOARD_TOKEN", "TUNEBOARD_REDIS_URL", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "a secret")
    run_id = launch()
    work(context)
    assert run_of(run_id).environment["secrets"] == []


@pytest.mark.parametrize("fault", ["kill", "segv", "crash", "silent", "close", "exit:7"])
def test_a_child_that_dies_once_is_followed_by_another_from_the_checkpoint(
    fault: str,
    context: Context,
    launch: Launch,
    run_of: RunOf,
    attempts_of: AttemptsOf,
    database: Database,
    fake: ModuleType,
) -> None:
    run_id = launch(steps=8, fault=fault, at_step=6, times=1)
    work(context)
    run = run_of(run_id)
    assert (run.status, run.error) == ("completed", None)
    assert list(series(database, run_id, "train/loss").values()) == fake.losses(8)
    first, second = attempts_of(run_id)
    assert (first.status, first.died, second.status) == ("queued", True, "completed")
    assert second.first_step == 5  # the checkpoint was at 4


def test_a_child_that_somebody_asked_to_stop_continues_and_has_not_died(
    context: Context, launch: Launch, run_of: RunOf, attempts_of: AttemptsOf
) -> None:
    run_id = launch(fault="term", at_step=4, times=1)
    work(context)
    assert run_of(run_id).status == "completed"
    assert [a.died for a in attempts_of(run_id)] == [False, False]


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [("kill", "killed", "SIGKILL"), ("segv", "crashed", "SIGSEGV"), ("exit:7", "crashed", "7")],
    ids=["kill", "segv", "exit"],
)
def test_a_child_that_dies_at_the_same_step_three_times_has_failed(
    fault: str, code: str, said: str, context: Context, launch: Launch, run_of: RunOf, attempts_of: AttemptsOf
) -> None:
    run_id = launch(fault=fault, at_step=4)
    work(context)
    run = run_of(run_id)
    assert run.status == "failed"
    assert run.error
    assert run.error["code"] == "crash_loop"
    assert said in run.error["title"] + run.error["detail"]
    assert "Traceback" not in json.dumps(run.error)
    assert [(a.status, a.cause) for a in attempts_of(run_id)] == [("queued", code), ("queued", code), ("failed", code)]


@pytest.mark.parametrize("code", ["unexpected", "io_error", "cuda_error"])
def test_an_error_that_may_pass_is_tried_again_after_a_pause(
    code: str, context: Context, launch: Launch, run_of: RunOf, attempts_of: AttemptsOf, fake: ModuleType
) -> None:
    run_id = launch(fault=f"fail:{code}", times=2, step_seconds=0.001)
    work(context)
    assert (run_of(run_id).status, run_of(run_id).attempt) == ("queued", 1)
    assert work_until_over(context, run_of, run_id).status == "completed"
    assert [a.cause for a in attempts_of(run_id)] == [code, code, None]


def test_an_error_that_does_not_pass_ends_the_run_at_its_fourth_attempt(
    context: Context, launch: Launch, run_of: RunOf
) -> None:
    run = work_until_over(context, run_of, launch(fault="fail:unexpected", step_seconds=0.001))
    assert (run.status, run.attempt) == ("failed", 4)
    assert run.error
    assert run.error["code"] == "unexpected"


def test_those_behind_a_run_in_a_pause_do_not_wait_for_it(context: Context, launch: Launch, run_of: RunOf) -> None:
    context.settings = context.settings.model_copy(update={"retry_seconds": 60})
    first, second = launch(fault="fail:unexpected"), launch(steps=1)
    work(context)
    assert (run_of(first).status, run_of(second).status) == ("queued", "completed")


def test_out_of_memory_is_followed_by_one_attempt_at_half_the_batch(
    context: Context, launch: Launch, run_of: RunOf, attempts_of: AttemptsOf
) -> None:
    run_id = launch(fault="fail:out_of_memory", times=1)
    work(context)
    run = run_of(run_id)
    assert (run.status, run.attempt, run.environment["batch_divisor"]) == ("completed", 2, 2)
    assert "a batch size of 4: continued with 2 and 8 accumulation steps" in run.warnings[0]
    assert [a.cause for a in attempts_of(run_id)] == ["out_of_memory", None]
    other = launch(fault="fail:out_of_memory")
    work(context)
    assert (run_of(other).status, run_of(other).attempt) == ("failed", 2)


def test_a_child_that_says_nothing_for_too_long_is_killed_and_tried_again(
    context: Context, launch: Launch, run_of: RunOf, attempts_of: AttemptsOf, settings: Settings
) -> None:
    context.settings = context.settings.model_copy(update={"silence_seconds": 1.5})
    run_id = launch(fault="hang", times=1)
    work(context)
    assert run_of(run_id).status == "completed"
    assert [(a.cause, a.died) for a in attempts_of(run_id)] == [("hung", True), (None, False)]


def test_a_silence_in_which_the_worker_itself_stood_still_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 0.2, 3600.0, 3600.2, 3600.4])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    quiet = follow._Quiet()
    assert [quiet.seconds(heard=heard) for heard in (False, False, False, True)] == pytest.approx([0.2, 5.2, 5.4, 0])


def test_the_words_of_a_signal_say_that_memory_may_be_short(context: Context, launch: Launch, run_of: RunOf) -> None:
    run_id = launch(fault="kill")
    work(context)
    error = run_of(run_id).error
    assert error
    assert "out of memory" in error["detail"]


def test_a_failure_that_the_child_reports_is_final(
    context: Context, launch: Launch, run_of: RunOf, settings: Settings
) -> None:
    run_id = launch(fault="fail:nan_loss")
    work(context)
    run = run_of(run_id)
    assert (run.status, run.attempt) == ("failed", 1)
    assert run.error == {
        "code": "nan_loss",
        "title": "Told to fail",
        "detail": "As planned.",
        "hint": "Change the plan.",
    }
    assert "Told to fail" in (settings.run_dir(run_id) / "run.log").read_text()


def test_a_traceback_stays_out_of_what_pages_show(
    context: Context, launch: Launch, settings: Settings, run_of: RunOf
) -> None:
    run_id = launch(fault="crash")
    work(context)
    assert run_of(run_id).status == "failed"
    assert "Traceback" in (settings.run_dir(run_id) / "output.log").read_text()
    assert "Traceback" not in (settings.run_dir(run_id) / "run.log").read_text()


def test_numbers_that_are_none_become_null_and_unreadable_lines_a_warning(
    context: Context, launch: Launch, run_of: RunOf, database: Database, settings: Settings
) -> None:
    run_id, other = launch(fault="nan", at_step=6, times=1), launch(fault="garbage", times=1)
    work(context)
    assert series(database, run_id, "train/loss")[2] is None
    assert run_of(other).status == "completed"
    assert "unreadable" in (settings.run_dir(other) / "run.log").read_text()


@pytest.mark.parametrize(
    "plan",
    [{"prepare_seconds": 60}, {"steps": 10_000}, {"evaluate_seconds": 60}, {"fault": "hang"}],
    ids=["preparing", "training", "evaluating", "hanging"],
)
def test_a_cancel_ends_the_run_in_every_stage(
    plan: dict[str, object], context: Context, launch: Launch, run_of: RunOf, database: Database
) -> None:
    run_id = launch(**plan)
    with at_work(context):
        wait_for(lambda: bool(run_of(run_id).environment))
        time.sleep(0.5)
        asked = time.monotonic()
        ask_to_cancel(database, run_id)
        wait_for(lambda: run_of(run_id).status == "cancelled")
        took = time.monotonic() - asked
    print(f"cancelled after {took:.1f} s")
    assert took < 15  # promised: 5 s
    assert run_of(run_id).finished_at


def test_a_child_that_ignores_the_request_is_killed(
    context: Context, launch: Launch, run_of: RunOf, database: Database
) -> None:
    run_id = launch(steps=10_000, ignore_sigterm=True)
    with at_work(context):
        wait_for(lambda: run_of(run_id).step > 0)
        ask_to_cancel(database, run_id)
        wait_for(lambda: run_of(run_id).status == "cancelled")
    [pid] = {line.split()[0] for line in (context.settings.run_dir(run_id) / "pids.log").read_text().splitlines()}
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_what_a_killed_child_left_half_written_goes_when_its_run_ends(
    context: Context, launch: Launch, settings: Settings
) -> None:
    run_id = launch(fault="fail:nan_loss", at_step=3, checkpoint_every=1)
    folder = settings.run_dir(run_id)
    halves = (folder / "checkpoints" / ".step-00000002.tmp", folder / ".artifacts.tmp")
    for half in halves:
        half.mkdir(parents=True)
        (half / "tensors.safetensors").write_bytes(b"half")
    work(context)
    assert not any(half.exists() for half in halves)
    assert any((folder / "checkpoints").iterdir())


def test_a_stopped_worker_queues_its_run_again_without_a_death(
    context: Context, launch: Launch, run_of: RunOf, attempts_of: AttemptsOf, database: Database, fake: ModuleType
) -> None:
    run_id = launch(steps=100)
    with at_work(context):
        wait_for(lambda: run_of(run_id).step > 3)
        context.stopping.set()
    run = run_of(run_id)
    assert (run.status, run.owner, run.finished_at) == ("queued", None, None)
    assert not attempts_of(run_id)[0].died
    context.stopping.clear()
    work(context)
    assert run_of(run_id).status == "completed"
    assert list(series(database, run_id, "train/loss").values()) == fake.losses(100)


def test_a_stopped_worker_waits_for_a_batch_that_takes_longer_than_a_cancel_would(
    context: Context, launch: Launch, run_of: RunOf
) -> None:
    run_id = launch(steps=2, step_seconds=follow.CANCEL_SECONDS + 1.5)
    with at_work(context):
        wait_for(lambda: run_of(run_id).stage == "training")
        context.stopping.set()
    assert (run_of(run_id).status, run_of(run_id).step) == ("queued", 1)


def test_a_cancel_of_a_run_whose_worker_stops_is_not_forgotten(
    context: Context, launch: Launch, run_of: RunOf, database: Database
) -> None:
    run_id = launch(steps=10_000)
    with at_work(context):
        wait_for(lambda: run_of(run_id).step > 0)
        context.stopping.set()
        ask_to_cancel(database, run_id)
    assert run_of(run_id).status == "cancelled"


def test_a_retry_continues_and_a_fresh_one_starts_from_zero(
    context: Context, launch: Launch, run_of: RunOf, attempts_of: AttemptsOf, database: Database
) -> None:
    run_id = launch(steps=6, fault="fail:nan_loss", at_step=5, times=1)
    work(context)

    def again(fresh: bool) -> None:
        with database.writing() as session:
            session.exec(update(Run).where(Run.id == run_id).values(status="queued", fresh_start=fresh))
            session.commit()
        work(context)

    again(fresh=False)
    assert attempts_of(run_id)[1].first_step == 5
    again(fresh=True)
    assert (run_of(run_id).status, run_of(run_id).fresh_start) == ("completed", False)
    assert attempts_of(run_id)[2].first_step == 1
    assert run_of(run_id).warnings == ["This was not real training."]


def test_a_duplicate_wake_up_finds_nothing_to_do(context: Context, launch: Launch, run_of: RunOf) -> None:
    run_id = launch()
    work(context)
    work(context)
    assert run_of(run_id).attempt == 1


def test_two_workers_never_take_the_same_run(settings: Settings, launch: Launch, context: Context) -> None:
    ids = [launch(steps=2, step_seconds=0.01) for _ in range(6)]
    other = Context(settings, connect(settings.database), context.celery, "cpu.2@here", "gpu.1")
    with at_work(context), at_work(other):
        pass
    with context.db.reading() as session:
        attempts = session.exec(select(Attempt)).all()
    assert sorted(a.run_id for a in attempts) == ids
    assert {a.worker for a in attempts} == {"cpu.1@here", "cpu.2@here"}
    other.db.dispose()


def test_a_worker_whose_run_was_taken_away_ends_its_child_and_writes_nothing(
    context: Context, launch: Launch, run_of: RunOf, database: Database
) -> None:
    run_id = launch(steps=10_000)
    with at_work(context):
        wait_for(lambda: run_of(run_id).step > 0)
        assert context.busy
        with database.writing() as session:
            session.exec(update(Run).where(Run.id == run_id).values(attempt=9, step=3))
            session.commit()
    run = run_of(run_id)
    assert (run.status, run.attempt, run.step) == ("running", 9, 3)


def test_a_database_that_is_locked_for_long_loses_no_point(
    settings: Settings, context: Context, launch: Launch, run_of: RunOf, database: Database, fake: ModuleType
) -> None:
    impatient = connect(settings.database, busy_timeout_ms=50)
    context.db = impatient
    context.settings = settings.model_copy(update={"lease_seconds": 2.0})
    run_id = launch(steps=150)
    with at_work(context), rival(context):
        wait_for(lambda: run_of(run_id).step > 0)
        locker = sqlite3.connect(settings.data_dir / "tuneboard.db", isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        time.sleep(4)  # longer than the child lives
        assert run_of(run_id).status == "running"
        locker.execute("ROLLBACK")
        locker.close()
        wait_for(lambda: run_of(run_id).status == "completed")
    assert run_of(run_id).attempt == 1  # the lease was over, and nobody took it
    assert list(series(database, run_id, "train/loss").values()) == fake.losses(150)
    impatient.dispose()


@contextmanager
def rival(context: Context) -> Iterator[None]:
    """Another worker's sweeper, which looks for abandoned runs all the time."""
    ended = threading.Event()
    other = Sweeper(replace(context, name="cpu.2@here", claim=None))

    def sweep() -> None:
        while not ended.wait(0.01):
            with suppress(OperationalError):
                other.find_abandoned()

    thread = threading.Thread(target=sweep)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_full_disk_under_the_log_fails_the_run_with_its_code(
    context: Context, launch: Launch, run_of: RunOf, settings: Settings
) -> None:
    run_id = launch()
    (settings.run_dir(run_id) / "run.log").symlink_to("/dev/full")
    work(context)
    run = run_of(run_id)
    assert run.status == "failed"
    assert run.error
    assert run.error["code"] == "disk_full"


def test_a_full_disk_under_the_artifacts_fails_the_run_and_leaves_nothing_half_done(
    context: Context, launch: Launch, run_of: RunOf, settings: Settings
) -> None:
    run_id, after = launch(), launch(steps=1)
    folder = settings.run_dir(run_id) / "artifacts"
    folder.mkdir()
    (folder / "manifest.json.tmp").symlink_to("/dev/full")
    work(context)
    assert run_of(run_id).error["code"] == "disk_full"  # type: ignore[index]
    assert not list(folder.glob("manifest*"))
    assert run_of(after).status == "completed"


def test_a_full_disk_under_the_last_line_of_the_log_does_not_rename_the_ending(
    context: Context, launch: Launch, run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = RunLog.write

    def full_at_the_end(log: RunLog, message: str, level: str = "info") -> None:
        if "Told to fail" in message:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(log, message, level)

    monkeypatch.setattr(RunLog, "write", full_at_the_end)
    run_id = launch(fault="fail:nan_loss")
    work(context)
    assert run_of(run_id).error["code"] == "nan_loss"  # type: ignore[index]


def test_a_database_that_nobody_else_may_even_read_is_waited_for(
    settings: Settings, context: Context, launch: Launch, run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    context.db = connect(settings.database, busy_timeout_ms=50)
    run_id = launch(steps=3)
    locked_out = 0
    load = job.load

    def lock_at_first(*parts: Any) -> job.Job:
        nonlocal locked_out
        locked_out += 1
        if locked_out == 1:
            raise OperationalError("SELECT", {}, busy())
        return load(*parts)

    monkeypatch.setattr(job, "load", lock_at_first)
    work(context)
    assert (run_of(run_id).status, run_of(run_id).attempt, locked_out) == ("completed", 1, 2)
    context.db.dispose()


def busy() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


def test_a_full_disk_under_the_database_fails_the_run_once_there_is_room(
    settings: Settings, context: Context, launch: Launch, run_of: RunOf, database: Database
) -> None:
    run_id = launch(steps=2000, step_seconds=0.001)
    limited = connect(settings.database)
    context.db = limited
    with limited.write.connect() as connection:  # one connection: what the pool hands out again
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages + 1}"))
        connection.rollback()
    with at_work(context):
        wait_for(lambda: run_of(run_id).status != "running" and run_of(run_id).attempt > 0, 60)
    assert run_of(run_id).error
    assert run_of(run_id).error["code"] == "disk_full"  # type: ignore[index]
    limited.dispose()


def test_a_surprise_in_the_worker_fails_the_run_and_not_the_worker(
    context: Context, launch: Launch, run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = launch(), launch()
    whole = job.training_command

    def broken(task: job.Job, *rest: Any) -> list[str]:
        if task.run_dir.name == str(first):
            raise KeyError("secret internals")
        return whole(task, *rest)

    monkeypatch.setattr(job, "training_command", broken)
    assert work_until_over(context, run_of, first).status == "failed"
    assert run_of(first).error["code"] == "unexpected"  # type: ignore[index]
    assert "secret internals" not in json.dumps(run_of(first).error)
    assert run_of(second).status == "completed"


def test_a_held_lock_is_no_reason_to_start_a_second_process(
    context: Context, launch: Launch, run_of: RunOf, attempts_of: AttemptsOf, settings: Settings
) -> None:
    run_id = launch()
    held = try_lock(settings.run_dir(run_id) / "lock")
    assert held
    with held:
        work(context)
        assert run_of(run_id).status == "queued"
        assert attempts_of(run_id)[0].cause == "lock_held"
    assert not (settings.run_dir(run_id) / "pids.log").exists()
    assert work_until_over(context, run_of, run_id).status == "completed"


def test_a_hub_model_is_downloaded_first_and_its_commit_goes_to_the_child(
    context: Context, launch: Launch, run_of: RunOf, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", "a secret")
    run_id = launch(base_model="owner/name")
    work(context)
    run = run_of(run_id)
    assert (run.status, run.error) == ("completed", None)
    assert run.environment["commit"] == "0123456789abcdef0123456789abcdef01234567"
    assert run.environment["secrets"] == []


def test_a_download_that_fails_fails_the_run_with_its_reason(
    context: Context, launch: Launch, run_of: RunOf, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    run_id = launch(base_model="owner/nothing")
    work(context)
    assert (run_of(run_id).status, run_of(run_id).attempt) == ("failed", 1)
    assert run_of(run_id).error["code"] == "model_not_found"  # type: ignore[index]


def test_a_cancel_ends_a_download(
    context: Context, launch: Launch, run_of: RunOf, database: Database, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    hub.hangs = threading.Event()
    run_id = launch(base_model="owner/name")
    with at_work(context):
        wait_for(lambda: any("resolve" in path for path in hub.asked))
        ask_to_cancel(database, run_id)
        wait_for(lambda: run_of(run_id).status == "cancelled")


@pytest.mark.parametrize("gone", ["model", "dataset"])
def test_what_is_gone_since_the_launch_is_a_failure_that_says_so(
    gone: str, context: Context, launch: Launch, run_of: RunOf, settings: Settings, tmp_path: Path
) -> None:
    run_id = launch()
    if gone == "model":
        (tmp_path / "bases" / "tiny").rename(tmp_path / "elsewhere")
    else:
        (settings.dataset_dir(1) / "rows.jsonl").unlink()
    work(context)
    assert run_of(run_id).status == "failed"
    assert run_of(run_id).error["code"] == {"model": "model_not_found", "dataset": "invalid"}[gone]  # type: ignore[index]
