"""Who works on which run. The row decides, never a message.

A claim is one conditional UPDATE. Every later write of a worker is fenced: it counts only while the row still is
`running` in that very attempt, so a worker that was thought dead and comes back changes nothing. A run and its
attempt always change in one transaction.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, and_, delete, func, null, or_, select, update
from sqlmodel import Session, col

from app.db import now
from app.errors import Conflict, RunError
from app.leases import Lease, boot, holds
from app.models import Attempt, MetricPoint, Run, RunValue
from app.status import RunStatus

# Rows, not objects: nothing that a session may hold is to be kept in step.
CORE = {"synchronize_session": False}


@dataclass(frozen=True)
class Claim:
    run_id: int
    attempt: int


class ClaimLost(Conflict):
    """The run is no longer this attempt's: somebody else found it abandoned, or it was deleted."""


def claim(session: Session, owner: str, lease: Lease) -> Claim | None:
    """Take the first queued run that is due and open its next attempt; None when there is none."""
    taken = session.execute(
        update(Run)
        .where(col(Run.id) == _first_due().scalar_subquery(), _due())
        .values(
            status=RunStatus.RUNNING,
            stage="preparing",
            attempt=Run.attempt + 1,
            owner=owner,
            lease_boot=lease.boot,
            lease_until=lease.until,
            not_before_boot=None,
            not_before=None,
            started_at=func.coalesce(col(Run.started_at), now()),
            finished_at=None,
            error=null(),
            eta_seconds=None,
        )
        .returning(col(Run.id), col(Run.attempt), col(Run.step)),
        execution_options=CORE,
    ).one_or_none()
    if taken is None:
        session.rollback()
        return None
    session.add(Attempt(run_id=taken.id, number=taken.attempt, worker=owner, first_step=taken.step))
    session.commit()
    return Claim(taken.id, taken.attempt)


def update_run(session: Session, claim: Claim, values: Mapping[str, Any]) -> None:
    """Write to a run that is still ours, without a commit; raises ClaimLost for one that is not."""
    result = session.execute(update(Run).where(*_fence(claim)).values(**values), execution_options=CORE)
    assert isinstance(result, CursorResult)
    if result.rowcount != 1:
        session.rollback()
        raise ClaimLost(f"run {claim.run_id}: attempt {claim.attempt} is over")


def renewal(lease: Lease) -> dict[str, Any]:
    """The columns that prolong a claim, to be written along with whatever else is new."""
    return {"lease_boot": lease.boot, "lease_until": lease.until}


def cancel_requested(session: Session, claim: Claim) -> bool:
    """Whether a person asked for the end; raises ClaimLost when the run is no longer ours."""
    requested = session.execute(select(col(Run.cancel_requested)).where(*_fence(claim))).scalar_one_or_none()
    if requested is None:
        raise ClaimLost(f"run {claim.run_id}: attempt {claim.attempt} is over")
    return bool(requested)


def start_fresh(session: Session, claim: Claim) -> None:
    """Forget what earlier attempts recorded. Its files go first: then a death in between repeats both."""
    nothing_done = {"step": 0, "total_steps": None, "epoch": 0.0, "fraction": 0.0}
    update_run(session, claim, {**nothing_done, "fresh_start": False})
    session.execute(delete(MetricPoint).where(col(MetricPoint.run_id) == claim.run_id))
    session.execute(delete(RunValue).where(col(RunValue.run_id) == claim.run_id))
    session.commit()


def complete(session: Session, claim: Claim, results: dict[str, Any], resources: dict[str, Any]) -> RunStatus:
    """The end that everybody wants; a cancel that came first wins, as its answer was already given."""
    if cancel_requested(session, claim):
        return cancel(session, claim)
    keys = {name: results.get(name) for name in ("fingerprint", "perplexity_key", "baseline_key")}
    values = {"results": results, "resources": resources, "fraction": 1.0, "eta_seconds": 0.0, **keys}
    return _end(session, claim, RunStatus.COMPLETED, "", values)


def fail(session: Session, claim: Claim, error: RunError, last: RunError | None = None) -> RunStatus:
    """End with an error; a run whose cancel was requested is cancelled, whatever else went wrong in it.

    `last` is what this attempt itself ended of, where the run fails for more than that.
    """
    if cancel_requested(session, claim):
        return cancel(session, claim)
    last = last or error
    return _end(session, claim, RunStatus.FAILED, last.title, {"error": error.to_json()}, last.code)


def cancel(session: Session, claim: Claim) -> RunStatus:
    return _end(session, claim, RunStatus.CANCELLED, "Cancelled", {"cancel_requested": False}, "cancelled")


def requeue(session: Session, claim: Claim, reason: str, cause: str, after: Lease | None = None) -> RunStatus:
    """Back to its place in the queue, to be claimed again at once or when the time of `after` is over."""
    if cancel_requested(session, claim):
        return cancel(session, claim)
    pause = {"not_before_boot": after.boot, "not_before": after.until} if after else {}
    return _end(session, claim, RunStatus.QUEUED, reason, pause, cause)


def update_attempt(session: Session, claim: Claim, values: Mapping[str, Any]) -> None:
    """Write to the attempt, along with how far it got; without a commit."""
    step = select(col(Run.step)).where(col(Run.id) == claim.run_id).scalar_subquery()
    mine = col(Attempt.run_id) == claim.run_id, col(Attempt.number) == claim.attempt
    session.execute(update(Attempt).where(*mine).values(last_step=step, **values), execution_options=CORE)


def abandoned(session: Session) -> list[Claim]:
    """Running rows whose lease is over: their worker is dead, or stopped for long."""
    running = select(Run).where(col(Run.status) == RunStatus.RUNNING)
    return [
        Claim(run.id, run.attempt)
        for run in session.scalars(running)
        if run.id is not None and not holds(run.lease_boot, run.lease_until)
    ]


def is_abandoned(session: Session, claim: Claim) -> bool:
    """Whether the claim stands and its lease is over: to be asked again inside the transaction that ends it."""
    run = session.scalars(select(Run).where(*_fence(claim))).one_or_none()
    return run is not None and not holds(run.lease_boot, run.lease_until)


def next_due(session: Session) -> int | None:
    """The run that would be claimed next."""
    return session.execute(_first_due()).scalar_one_or_none()


def _first_due() -> Any:
    return select(col(Run.id)).where(_due()).order_by(col(Run.queue_position), col(Run.id)).limit(1)


def _due() -> ColumnElement[bool]:
    """Queued, and not waiting for the end of a pause; a pause of another boot is over."""
    paused = and_(col(Run.not_before_boot) == boot(), col(Run.not_before) > time.monotonic())
    return and_(col(Run.status) == RunStatus.QUEUED, or_(col(Run.not_before).is_(None), ~paused))


def _end(
    session: Session, claim: Claim, status: RunStatus, reason: str, values: Mapping[str, Any], cause: str | None = None
) -> RunStatus:
    over = now()
    released: dict[str, Any] = {"owner": None, "lease_boot": None, "lease_until": None, "eta_seconds": None}
    if status not in (RunStatus.FAILED, RunStatus.CANCELLED):
        released["stage"] = None  # of a run that was cut short, people want to know where
    finished = None if status is RunStatus.QUEUED else over
    update_run(session, claim, {**released, "status": status, "finished_at": finished, **values})
    update_attempt(session, claim, {"status": status, "finished_at": over, "reason": reason, "cause": cause})
    session.commit()
    return status


def _fence(claim: Claim) -> tuple[Any, ...]:
    return (
        col(Run.id) == claim.run_id,
        col(Run.attempt) == claim.attempt,
        col(Run.status) == RunStatus.RUNNING,
    )
