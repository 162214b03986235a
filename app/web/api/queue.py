"""/queue: what runs, what waits in which order, and changing that order."""

from typing import Any

from fastapi import APIRouter
from sqlmodel import Session

from app import runs, waiting
from app.web.api import shapes
from app.web.api.bodies import QueueOrder
from app.web.api.documented import BODY, problems
from app.web.deps import Reading, Writing

router = APIRouter(prefix="/queue", tags=["queue"])


@router.get("", response_model=shapes.Queue, summary="Show the queue")
def show(session: Reading) -> dict[str, Any]:
    """All that waits, the next one first; beside it what runs."""
    return _queue(session)


@router.patch("", response_model=shapes.Queue, responses=problems(*BODY, 409), summary="Change the queue's order")
def reorder(body: QueueOrder, session: Writing) -> dict[str, Any]:
    waiting.reorder(session, body.runs)
    return _queue(session)


def _queue(session: Session) -> dict[str, Any]:
    items = [runs.to_api(*pair) for pair in waiting.waiting(session)]
    running = [runs.to_api(*pair) for pair in waiting.running(session)]
    return {"items": items, "next_cursor": None, "total": len(items), "running": running}
