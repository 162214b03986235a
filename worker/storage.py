"""Writing when the database cannot be written to: locked by another, or on a disk that is full."""

import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from worker.context import Context

T = TypeVar("T")
# A worker that was told to stop gives up after this; its run is found again when the lease is over.
LAST_TRIES_SECONDS = 1.0
PAUSE_SECONDS = 0.5


def is_locked(error: OperationalError) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_full(error: OperationalError) -> bool:
    return _code(error) == sqlite3.SQLITE_FULL


def _code(error: OperationalError) -> int:
    """SQLite's primary result code; the extended ones carry more in the higher bits."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF


def insist(context: Context, write: Callable[[Session], T]) -> T:
    """Write however long the database stays locked or the disk full: no run's end may be lost to that."""
    last_try: float | None = None
    while True:
        try:
            with context.db.writing() as session:
                return write(session)
        except OperationalError as error:
            if not (is_locked(error) or is_full(error)):
                raise
            if last_try is None and context.stopping.is_set():
                last_try = time.monotonic() + LAST_TRIES_SECONDS
            if last_try is not None and time.monotonic() > last_try:
                raise
        time.sleep(PAUSE_SECONDS)
