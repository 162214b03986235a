"""Answers that a worker works out in a moment: asked for and waited for without holding a thread or a session."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from app import errands
from app.db import Database
from app.models import Errand
from app.web import turns

# Between two looks: short at first, as a warm child answers within milliseconds, then ever longer.
FIRST_SECONDS, LONGEST_SECONDS = 0.02, 0.25


async def asked(request: Request, kind: str, wanted: Mapping[str, Any], seconds: float) -> Errand:
    """Ask for it, unless it is known already; the errand when it is over, or as it stands after so many seconds.

    Raises Unavailable where no worker lives.
    """
    database: Database = request.app.state.db
    async with turns.taken(request):
        errand = await run_in_threadpool(_ask, database, kind, wanted)
    return await answer(database, errand.id or 0, seconds)


async def answer(database: Database, errand_id: int, seconds: float) -> Errand:
    """The errand when it is over, or as it stands after so many seconds."""
    deadline, pause = time.monotonic() + seconds, FIRST_SECONDS
    while True:
        errand = await run_in_threadpool(_read, database, errand_id)
        if errand.status not in errands.OPEN or time.monotonic() + pause > deadline:
            return errand
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_SECONDS)


def _ask(database: Database, kind: str, wanted: Mapping[str, Any]) -> Errand:
    with database.writing() as session:
        return errands.ask_once(session, kind, wanted)


def _read(database: Database, errand_id: int) -> Errand:
    with database.reading() as session:
        errand = errands.get(session, errand_id)
        session.expunge(errand)
        return errand
