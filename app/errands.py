"""Errands: small jobs that a worker does beside training. Here they are asked for, looked at and called off.

How a worker takes one and ends it stands in app.errand_claims; what each kind does, in worker.errand.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, select

from app.db import iso, now
from app.errors import Conflict, NotFound, Unavailable
from app.models import Errand
from app.status import ErrandStatus
from app.workers import list_workers

OPEN = (ErrandStatus.QUEUED, ErrandStatus.RUNNING)


def ask(session: Session, kind: str, request: Mapping[str, Any], *, run_id: int | None = None) -> Errand:
    """Store an errand for the next worker that is free for it."""
    errand = Errand(kind=kind, request=dict(request), run_id=run_id)
    session.add(errand)
    session.commit()
    return errand


def ask_once(session: Session, kind: str, request: Mapping[str, Any]) -> Errand:
    """The same, unless the very same is being done or was done lately; raises Unavailable where nobody would do it."""
    same = select(Errand).where(Errand.kind == kind, col(Errand.request) == dict(request))
    known = session.exec(same.order_by(col(Errand.id).desc()).limit(1)).first()
    if known and known.status == ErrandStatus.DONE:
        return known
    need_worker(session)
    return known if known and known.status in OPEN else ask(session, kind, request)


def need_worker(session: Session) -> None:
    """Raises Unavailable where no worker lives to do an errand: nobody should wait for one that is not there."""
    if not any(alive for _, alive in list_workers(session)):
        raise Unavailable("No worker is running, and this is worked out by one. Start it with `tuneboard worker`.")


def get(session: Session, errand_id: int) -> Errand:
    errand = session.get(Errand, errand_id)
    if errand is None:
        raise NotFound(f"There is no errand {errand_id}: it was never asked for, or its answer is no longer kept.")
    return errand


def cancel(session: Session, errand_id: int) -> Errand:
    """Call it off, at once; a worker that is at it ends its process when it sees that. One that is over stays so."""
    errand = get(session, errand_id)
    is_open = col(Errand.id) == errand_id, col(Errand.status).in_(OPEN)
    over = {"status": ErrandStatus.CANCELLED, "finished_at": now(), "waits_for": None}
    result = session.execute(update(Errand).where(*is_open).values(over))
    assert isinstance(result, CursorResult)
    session.commit()
    session.refresh(errand)
    return errand


def answer_of(errand: Errand) -> dict[str, Any]:
    """What a finished errand found out; raises Conflict, in its own words, for one that has no answer."""
    if errand.status == ErrandStatus.DONE and errand.answer is not None:
        return errand.answer
    if errand.error:
        title, detail, hint = (errand.error[part] for part in ("title", "detail", "hint"))
        raise Conflict(f"{title}. {detail} {hint}".strip())
    raise Conflict(f"This is {errand.status}: it has no answer.")


def to_api(errand: Errand) -> dict[str, Any]:
    return {
        "id": errand.id,
        "kind": errand.kind,
        "run": errand.run_id,
        "request": errand.request,
        "status": errand.status,
        "waits_for": errand.waits_for,
        "answer": errand.answer,
        "error": errand.error,
        "created_at": iso(errand.created_at),
        "finished_at": iso(errand.finished_at),
    }
