"""Writers wait for a turn without a thread: however long the database is locked, readers find threads to be served by.

Measured without: forty writers behind a locked database take all of the server's forty threads, and every page waits.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Request

from app.db import BUSY
from app.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

# Threads that may wait for the database's lock, and how long: first for a turn, then as long again for the lock.
WRITERS = 8
WAIT_SECONDS = 5.0
# Uploads that are read at once, each in a thread and a child process of its own.
IMPORTS = 4


@dataclass(frozen=True)
class Turns:
    writers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WRITERS))
    imports: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(IMPORTS))


@asynccontextmanager
async def taken(request: Request) -> AsyncIterator[None]:
    """A turn to write, for as long as the block runs; Unavailable where none comes in time."""
    turns: Turns = request.app.state.turns
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await turns.writers.acquire()
    except TimeoutError:
        raise Unavailable(BUSY) from None
    try:
        yield
    finally:
        turns.writers.release()


async def in_import_thread(request: Request, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Like run_in_threadpool, with threads that no other request needs."""
    turns: Turns = request.app.state.turns
    return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=turns.imports)
