"""The line in the top bar: what runs now, how far it is, and how many wait."""

from dataclasses import dataclass

from fastapi import Request
from sqlmodel import Session, col, func, select

from app.db import Database
from app.models import Run
from app.status import RunStatus


@dataclass(frozen=True)
class Chip:
    running: Run | None
    queued: int


def current(request: Request) -> Chip:
    database: Database = request.app.state.db
    with database.reading() as session:
        return Chip(_running(session), _queued(session))


def _running(session: Session) -> Run | None:
    running = select(Run).where(Run.status == RunStatus.RUNNING).order_by(col(Run.started_at)).limit(1)
    return session.exec(running).first()


def _queued(session: Session) -> int:
    return session.exec(select(func.count()).select_from(Run).where(Run.status == RunStatus.QUEUED)).one()
