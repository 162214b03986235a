"""The workers that have beaten their heart, and which of them still do."""

from sqlmodel import Session, col, select

from app import leases
from app.models import Worker


def list_workers(session: Session) -> list[tuple[Worker, bool]]:
    """Each with whether it is alive."""
    workers = session.exec(select(Worker).order_by(col(Worker.name)))
    return [(worker, leases.holds(worker.boot, worker.beat_until)) for worker in workers]
