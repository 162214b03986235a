"""Who works on which errand. As with runs the row decides, and every write of a worker counts only while it is his."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, select, update
from sqlmodel import Session, col

from app.db import now
from app.errors import RunError
from app.leases import Lease, holds
from app.models import Errand
from app.status import ErrandStatus

CORE = {"synchronize_session": False}
# A worker that is lost with an errand may have been lost to it: twice is enough.
MOST_TRIES = 2
# How long what was asked in passing is kept: a page that asks again has its answer by then.
KEPT = timedelta(hours=1)

LOST = RunError(
    "worker_lost",
    "The worker was lost while it did this",
    "It stopped without a word, twice: the machine may have run out of memory.",
    "Look at the worker's log, then ask again.",
)


@dataclass(frozen=True)
class ErrandClaim:
    id: int
    tries: int


def waiting(session: Session, kinds: Collection[str]) -> list[int]:
    """The queued errands of these kinds, the first asked for first."""
    queued = col(Errand.status) == ErrandStatus.QUEUED, col(Errand.kind).in_(kinds)
    return list(session.scalars(select(col(Errand.id)).where(*queued).order_by(col(Errand.id))))


def claim(session: Session, kinds: Collection[str], owner: str, lease: Lease) -> tuple[ErrandClaim, Errand] | None:
    """Take the first queued errand of these kinds; None when there is none."""
    queued = col(Errand.status) == ErrandStatus.QUEUED, col(Errand.kind).in_(kinds)
    first = select(col(Errand.id)).where(*queued).order_by(col(Errand.id)).limit(1).scalar_subquery()
    taken = {"status": ErrandStatus.RUNNING, "owner": owner, "tries": Errand.tries + 1, "waits_for": None}
    statement = update(Errand).where(col(Errand.id) == first, *queued).values(**taken, **_lease(lease))
    row = session.execute(statement.returning(col(Errand.id), col(Errand.tries)), execution_options=CORE).one_or_none()
    if row is None:
        session.rollback()
        return None
    session.commit()
    return ErrandClaim(row.id, row.tries), session.get_one(Errand, row.id)


def is_ours(session: Session, claim: ErrandClaim) -> bool:
    """Whether it still is to be done: not called off, not deleted, not somebody else's by now."""
    return session.execute(select(col(Errand.id)).where(*_fence(claim))).one_or_none() is not None


def report(session: Session, claim: ErrandClaim, lease: Lease, answer: Mapping[str, Any] | None) -> bool:
    """Keep the claim, and with it what is known so far, if that is new; False where it is no longer ours."""
    return _write(session, claim, _lease(lease) | ({} if answer is None else {"answer": dict(answer)}))


def finish(session: Session, claim: ErrandClaim, answer: Mapping[str, Any]) -> bool:
    return _write(session, claim, _over(ErrandStatus.DONE) | {"answer": dict(answer)})


def fail(session: Session, claim: ErrandClaim, error: RunError) -> bool:
    return _write(session, claim, _over(ErrandStatus.FAILED) | {"error": error.to_json()})


def give_back(session: Session, claim: ErrandClaim) -> bool:
    """A worker that is told to stop leaves it to the next one, without a mark against it."""
    return _write(session, claim, _released() | {"status": ErrandStatus.QUEUED, "tries": Errand.tries - 1})


def say_why_they_wait(session: Session, ids: Collection[int], reason: str) -> None:
    """Only what changes is written: this is called again and again."""
    stale = col(Errand.id).in_(ids), col(Errand.status) == ErrandStatus.QUEUED, col(Errand.waits_for).is_not(reason)
    session.execute(update(Errand).where(*stale).values(waits_for=reason), execution_options=CORE)
    session.commit()


def abandoned(session: Session) -> list[ErrandClaim]:
    """Those whose worker has not renewed its lease: it is dead, and its process died with it."""
    running = session.scalars(select(Errand).where(col(Errand.status) == ErrandStatus.RUNNING))
    return [ErrandClaim(e.id, e.tries) for e in running if e.id and not holds(e.lease_boot, e.lease_until)]


def recover(session: Session, claim: ErrandClaim) -> None:
    """Have an abandoned errand done again, or fail where that was tried."""
    if claim not in abandoned(session):
        return
    if claim.tries >= MOST_TRIES:
        fail(session, claim, LOST)
    else:
        _write(session, claim, _released() | {"status": ErrandStatus.QUEUED})


def has_old(session: Session, kinds: Collection[str]) -> bool:
    return session.scalars(select(col(Errand.id)).where(*_old(kinds)).limit(1)).first() is not None


def forget_old(session: Session, kinds: Collection[str]) -> None:
    """Delete what was asked in passing and has been over for long."""
    session.execute(delete(Errand).where(*_old(kinds)), execution_options=CORE)
    session.commit()


def _old(kinds: Collection[str]) -> tuple[Any, ...]:
    return col(Errand.finished_at) < now() - KEPT, col(Errand.kind).in_(kinds)


def _fence(claim: ErrandClaim) -> tuple[Any, ...]:
    running = col(Errand.status) == ErrandStatus.RUNNING
    return col(Errand.id) == claim.id, col(Errand.tries) == claim.tries, running


def _write(session: Session, claim: ErrandClaim, values: Mapping[str, Any]) -> bool:
    result = session.execute(update(Errand).where(*_fence(claim)).values(**values), execution_options=CORE)
    assert isinstance(result, CursorResult)
    session.commit()
    return bool(result.rowcount)


def _lease(lease: Lease) -> dict[str, Any]:
    return {"lease_boot": lease.boot, "lease_until": lease.until}


def _released() -> dict[str, Any]:
    return {"owner": None, "lease_boot": None, "lease_until": None}


def _over(status: ErrandStatus) -> dict[str, Any]:
    return _released() | {"status": status, "finished_at": now(), "waits_for": None}
