"""Wait for the answer of an errand that takes a moment, without holding a thread or a session meanwhile."""

import asyncio
import time

from fastapi.concurrency import run_in_threadpool

from app import errands
from app.db import Database
from app.models import Errand

# Between two looks: short at first, as a warm child answers within milliseconds, then ever longer.
FIRST_SECONDS, LONGEST_SECONDS = 0.02, 0.25


async def answer(database: Database, errand_id: int, seconds: float) -> Errand:
    """The errand when it is over, or as it stands after so many seconds."""
    deadline, pause = time.monotonic() + seconds, FIRST_SECONDS
    while True:
        errand = await run_in_threadpool(_read, database, errand_id)
        if errand.status not in errands.OPEN or time.monotonic() + pause > deadline:
            return errand
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_SECONDS)


def _read(database: Database, errand_id: int) -> Errand:
    with database.reading() as session:
        errand = errands.get(session, errand_id)
        session.expunge(errand)
        return errand
