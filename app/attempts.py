"""A run's attempts: how often it was tried, how far each got, and what each ended of."""

from typing import Any

from sqlmodel import Session, col, select

from app.db import iso, now
from app.models import Attempt
from app.status import RunStatus


def of_run(session: Session, run_id: int) -> list[Attempt]:
    """The last one first."""
    mine = select(Attempt).where(Attempt.run_id == run_id)
    return list(session.exec(mine.order_by(col(Attempt.number).desc())))


def took(attempt: Attempt) -> float:
    """How long it took, or takes so far; a clock that was set back in between makes no time negative."""
    return max(0.0, ((attempt.finished_at or now()) - attempt.started_at).total_seconds())


def to_api(attempt: Attempt) -> dict[str, Any]:
    running = attempt.status == RunStatus.RUNNING
    return {
        "number": attempt.number,
        "status": attempt.status,
        "worker": attempt.worker,
        "started_at": iso(attempt.started_at),
        "finished_at": iso(attempt.finished_at),
        "seconds": took(attempt),
        "first_step": attempt.first_step,
        "last_step": None if running else attempt.last_step,
        "cause": attempt.cause,
        "reason": attempt.reason,
    }
