"""What follows an attempt that ended without a result."""

import pytest
from sqlmodel import col, select, update

from app import claims, leases, retries, runs
from app.claims import Claim
from app.db import Database
from app.errors import RunError
from app.leases import lease
from app.models import Attempt, Dataset, Experiment, Run

KILLED = RunError("killed", "It was killed", "By a signal.", "Close other programs.")
BROKEN = RunError("unexpected", "It broke", "A RuntimeError.", "Retry.")
FULL = RunError("out_of_memory", "Out of memory", "While training.", "Lower the batch size.")
CONFIG = {"model": {"base_model": "m"}, "data": {"dataset": 1}}


@pytest.fixture(autouse=True)
def queued(database: Database) -> None:
    with database.writing() as session:
        session.add(Experiment(id=1, name="one"))
        session.add(Dataset(id=1, name="d", sha256="0", format="jsonl", rows=1, train_rows=1, eval_rows=0, columns=[]))
        session.flush()
        session.add(Run(experiment_id=1, dataset_id=1, name="r", config=CONFIG))
        session.commit()


def read(database: Database) -> Run:
    with database.reading() as session:
        return session.get_one(Run, 1)


def attempts(database: Database) -> list[Attempt]:
    with database.reading() as session:
        return list(session.exec(select(Attempt).order_by(col(Attempt.number))))


def change(database: Database, **values: object) -> None:
    with database.writing() as session:
        session.exec(update(Run).where(Run.id == 1).values(**values))
        session.commit()


def attempt(database: Database, step: int) -> Claim:
    """One that gets to this step, after whatever pause there is."""
    change(database, not_before_boot=None, not_before=None)
    with database.writing() as session:
        claim = claims.claim(session, "w", lease(60))
    assert claim
    change(database, step=step)
    return claim


def die(database: Database, step: int, error: RunError = KILLED) -> str:
    claim = attempt(database, step)
    with database.writing() as session:
        return retries.died(session, claim, error)


def fail(database: Database, step: int, error: RunError = BROKEN) -> str:
    claim = attempt(database, step)
    with database.writing() as session:
        return retries.pause(session, claim, error, {"unexpected", "io_error"}, 10)


def stop(database: Database, step: int) -> None:
    claim = attempt(database, step)
    with database.writing() as session:
        assert claims.requeue(session, claim, "The worker was stopped", "shutdown") == "queued"


def test_three_deaths_that_get_no_further_are_a_crash_loop_that_names_them(database: Database) -> None:
    crashed = RunError("crashed", "It crashed with SIGSEGV", "A library did it.", "Read output.log.")
    assert [die(database, 4), die(database, 4, crashed), die(database, 3)] == ["queued", "queued", "failed"]
    error = read(database).error
    assert error == {
        "code": "crash_loop",
        "title": "It died 3 times without getting beyond step 4",
        "detail": "Attempts 1 and 3: It was killed. Attempt 2: It crashed with SIGSEGV. By a signal.",
        "hint": "Close other programs.",
    }
    assert [(a.cause, a.died) for a in attempts(database)] == [("killed", True), ("crashed", True), ("killed", True)]


def test_deaths_are_followed_by_another_attempt_at_once(database: Database) -> None:
    die(database, 4)
    assert read(database).not_before is None


def test_deaths_between_which_the_run_gets_further_do_not_count(database: Database) -> None:
    assert [die(database, step) for step in (0, 0, 5, 5, 9, 12)] == ["queued"] * 6
    assert [die(database, step) for step in (12, 12)] == ["queued", "failed"]


def test_a_stop_of_the_worker_is_no_death_and_no_error(database: Database) -> None:
    for _ in range(5):
        stop(database, 0)
    assert [die(database, 0) for _ in range(2)] == ["queued", "queued"]


def test_an_error_that_may_pass_is_waited_for_three_times_twice_as_long_each_time(database: Database) -> None:
    pauses = []
    for _ in range(3):
        assert fail(database, 4) == "queued"
        run = read(database)
        pauses.append(leases.seconds_until(run.not_before_boot, run.not_before))
    assert [round(pause) for pause in pauses] == [10, 20, 40]
    assert fail(database, 4) == "failed"
    error = read(database).error
    assert error
    assert error["code"] == "unexpected"
    assert "Attempts 1, 2, 3 and 4" in error["detail"]


def test_errors_of_several_kinds_are_counted_together_and_forgiven_by_progress(database: Database) -> None:
    other = RunError("io_error", "A disk failed", "EIO.", "Check it.")
    assert [fail(database, 4), fail(database, 4, other), fail(database, 4)] == ["queued"] * 3
    assert fail(database, 5, other) == "queued"
    pause = leases.seconds_until(read(database).not_before_boot, read(database).not_before)
    assert round(pause) == 10


@pytest.mark.parametrize("ended", ["failed", "cancelled"])
def test_a_person_who_retries_is_not_kept_waiting_and_starts_the_count_anew(ended: str, database: Database) -> None:
    for _ in range(2):
        die(database, 4)
    if ended == "failed":
        die(database, 4)
    else:
        fail(database, 4)
        with database.writing() as session:
            runs.cancel_run(session, 1)
    with database.writing() as session:
        runs.retry_run(session, 1)
    run = read(database)
    assert (run.not_before, run.not_before_boot, run.forgiven) == (None, None, 3)
    assert [die(database, 4) for _ in range(3)] == ["queued", "queued", "failed"]


def halve(database: Database, **training: object) -> str:
    change(database, config=CONFIG | {"training": training})
    claim = attempt(database, 3)
    with database.writing() as session:
        return retries.halve(session, claim, FULL)


def test_out_of_memory_is_tried_once_with_half_the_rows_in_a_pass_and_says_so(database: Database) -> None:
    change(database, warnings=["of the launch"])
    assert halve(database, per_device_train_batch_size=4, gradient_accumulation_steps=3) == "queued"
    run = read(database)
    assert (run.batch_divisor, run.not_before) == (2, None)
    assert run.warnings == [
        "of the launch",
        "Out of memory with a batch size of 4: continued with 2 and 6 accumulation steps instead of 3. "
        "Each step still sees the same 12 rows.",
    ]
    assert halve(database, per_device_train_batch_size=4) == "failed"
    assert read(database).error == FULL.to_json()


def test_passes_of_so_many_tokens_are_halved_whatever_the_batch_size_says(database: Database) -> None:
    sizes = {"max_tokens_per_step": 4096, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 1}
    assert halve(database, **sizes) == "queued"
    assert "half the rows in a pass" in read(database).warnings[0]


@pytest.mark.parametrize("training", [{"per_device_train_batch_size": 1}, {"auto_find_batch_size": False}], ids=str)
def test_out_of_memory_is_final_where_nothing_can_be_halved_or_nobody_wants_it(
    training: dict[str, object], database: Database
) -> None:
    assert halve(database, **training) == "failed"
    assert (read(database).batch_divisor, read(database).warnings) == (1, [])


def test_a_pause_is_a_place_in_time_that_no_clock_moves(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(database, 0)
    run = read(database)
    before = leases.seconds_until(run.not_before_boot, run.not_before)
    monkeypatch.setattr("time.time", lambda: 0.0)
    after = leases.seconds_until(run.not_before_boot, run.not_before)
    assert 0 <= before - after < 5
