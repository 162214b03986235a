"""Claims: one run to one worker, and no word from a worker whose time is over."""

import threading
import time
from collections.abc import Callable

import pytest
from sqlmodel import Session, select, update

from app import claims, retries
from app.claims import Claim, ClaimLost
from app.db import Database
from app.errors import RunError
from app.leases import Lease, lease
from app.models import Attempt, Dataset, Experiment, MetricName, MetricPoint, Run, RunValue
from app.status import ENDED, RunStatus

ERROR = RunError("killed", "It was killed", "By a signal.", "Retry.")
CONFIG = {"model": {"base_model": "m"}, "data": {"dataset": 1}}
OVER = Lease("another boot", 1e12)


@pytest.fixture
def runs(database: Database) -> list[int]:
    """Three queued runs, the second of them first in the queue."""
    with database.writing() as session:
        session.add(Experiment(id=1, name="one"))
        session.add(Dataset(id=1, name="d", sha256="0", format="jsonl", rows=1, train_rows=1, eval_rows=0, columns=[]))
        session.flush()
        for position in (2.0, 1.0, 2.0):
            session.add(Run(experiment_id=1, dataset_id=1, name="r", config=CONFIG, queue_position=position))
        session.commit()
    return [1, 2, 3]


def take(database: Database, owner: str = "w", until: Lease | None = None) -> Claim | None:
    with database.writing() as session:
        return claims.claim(session, owner, until or lease(60))


def taken(database: Database) -> Claim:
    claim = take(database)
    assert claim
    return claim


def read(database: Database, run_id: int) -> Run:
    with database.reading() as session:
        return session.get_one(Run, run_id)


def attempt(database: Database, claim: Claim) -> Attempt:
    with database.reading() as session:
        return session.get_one(Attempt, (claim.run_id, claim.attempt))


def everything(database: Database, claim: Claim) -> tuple[object, object]:
    rows = read(database, claim.run_id), attempt(database, claim)
    return rows[0].model_dump(warnings=False), rows[1].model_dump(warnings=False)


def change(database: Database, run_id: int, **values: object) -> None:
    with database.writing() as session:
        session.exec(update(Run).where(Run.id == run_id).values(**values))
        session.commit()


def test_runs_are_claimed_by_position_then_by_id(database: Database, runs: list[int]) -> None:
    assert [claim and claim.run_id for claim in (take(database) for _ in range(4))] == [2, 1, 3, None]


def test_a_claim_opens_an_attempt_and_forgets_the_last_error(database: Database, runs: list[int]) -> None:
    change(database, 2, error={"code": "x"}, attempt=4)
    claim = taken(database)
    run = read(database, 2)
    assert claim == Claim(2, 5)
    assert (run.status, run.owner, run.error, run.stage) == ("running", "w", None, "preparing")
    assert attempt(database, claim).status == "running"


def test_of_many_who_claim_at_once_one_gets_each_run(database: Database, runs: list[int]) -> None:
    got: list[Claim | None] = []
    threads = [threading.Thread(target=lambda: got.append(take(database))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claim.run_id for claim in got if claim) == runs


Write = Callable[[Session, Claim], object]
WRITES: dict[str, Write] = {
    "update": lambda s, c: claims.update_run(s, c, {"step": 99}),
    "cancel_requested": claims.cancel_requested,
    "start_fresh": claims.start_fresh,
    "complete": lambda s, c: claims.complete(s, c, {"fingerprint": "f"}, {}),
    "fail": lambda s, c: claims.fail(s, c, ERROR),
    "cancel": claims.cancel,
    "requeue": lambda s, c: claims.requeue(s, c, "why", "shutdown"),
    "died": lambda s, c: retries.died(s, c, ERROR),
    "pause": lambda s, c: retries.pause(s, c, ERROR, {"killed"}, 10),
    "halve": lambda s, c: retries.halve(s, c, ERROR),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("meanwhile", [{"attempt": 2}, {"status": "queued"}, {"status": "completed"}], ids=str)
def test_a_write_of_an_attempt_that_is_over_changes_nothing(
    write: Write, meanwhile: dict[str, object], database: Database, runs: list[int]
) -> None:
    claim = taken(database)
    change(database, claim.run_id, **meanwhile)
    before = everything(database, claim)
    with database.writing() as session, pytest.raises(ClaimLost):
        write(session, claim)
    assert everything(database, claim) == before


@pytest.mark.parametrize(
    ("write", "status"),
    [
        ("complete", "completed"),
        ("fail", "failed"),
        ("cancel", "cancelled"),
        ("requeue", "queued"),
        ("died", "queued"),
        ("pause", "queued"),
        ("halve", "queued"),
    ],
)
def test_run_and_attempt_end_alike_and_the_lease_is_given_up(
    write: str, status: str, database: Database, runs: list[int]
) -> None:
    claim = taken(database)
    change(database, claim.run_id, step=7)
    with database.writing() as session:
        assert WRITES[write](session, claim) == status
    run, tried = read(database, claim.run_id), attempt(database, claim)
    assert (run.status, tried.status, tried.last_step) == (status, status, 7)
    assert (run.owner, run.lease_boot, run.lease_until) == (None, None, None)
    assert run.stage == ("preparing" if status in ("failed", "cancelled") else None)
    assert (run.finished_at is None) == (RunStatus(status) not in ENDED)
    assert tried.finished_at


@pytest.mark.parametrize("write", ["complete", "fail", "requeue", "died", "pause", "halve"])
def test_a_requested_cancel_wins_over_every_other_end(write: str, database: Database, runs: list[int]) -> None:
    claim = taken(database)
    change(database, claim.run_id, cancel_requested=True)
    with database.writing() as session:
        assert WRITES[write](session, claim) == "cancelled"
    assert (read(database, claim.run_id).status, read(database, claim.run_id).error) == ("cancelled", None)


def test_a_run_in_a_pause_is_left_out_until_it_is_due(database: Database, runs: list[int]) -> None:
    claim = taken(database)
    with database.writing() as session:
        assert claims.requeue(session, claim, "why", "unexpected", after=lease(60)) == "queued"
        assert claims.next_due(session) == 1
    assert [claim and claim.run_id for claim in (take(database) for _ in range(3))] == [1, 3, None]
    change(database, 2, not_before=time.monotonic() - 0.001)
    again = taken(database)
    assert (again, read(database, 2).not_before) == (Claim(2, 2), None)


def test_a_pause_does_not_outlast_the_boot_that_it_was_given_in(database: Database, runs: list[int]) -> None:
    change(database, 2, not_before_boot="before", not_before=1e12)
    assert taken(database).run_id == 2


def test_a_fresh_start_forgets_what_was_recorded(database: Database, runs: list[int]) -> None:
    claim = taken(database)
    change(database, claim.run_id, step=9, fresh_start=True, warnings=["of the launch"])
    with database.writing() as session:
        session.add(MetricName(id=1, name="train/loss"))
        session.flush()
        session.add(MetricPoint(run_id=claim.run_id, name_id=1, step=9, value=1.0, time=1.0, epoch=1.0))
        session.add(RunValue(run_id=claim.run_id, name="train/loss", last=1.0, best=1.0))
        session.commit()
        claims.start_fresh(session, claim)
    run = read(database, claim.run_id)
    assert (run.step, run.fresh_start, run.warnings) == (0, False, ["of the launch"])
    with database.reading() as session:
        assert not session.exec(select(MetricPoint)).all()
        assert not session.exec(select(RunValue)).all()


def test_only_runs_whose_lease_is_over_are_abandoned(database: Database, runs: list[int]) -> None:
    alive = take(database)
    rebooted, silent = take(database, until=OVER), take(database, until=lease(-1))
    assert alive
    with database.reading() as session:
        assert claims.abandoned(session) == [rebooted, silent]
        assert not claims.is_abandoned(session, alive)
