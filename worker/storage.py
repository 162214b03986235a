"""Writing when the database cannot be written to: locked by another, or on a disk that is full."""

import logging
import math
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from worker.context import Context

log = logging.getLogger(__name__)

T = TypeVar("T")
# A worker that was told to stop gives up after this; its run is found again when the lease is over.
LAST_TRIES_SECONDS = 1.0
PAUSE_SECONDS = 0.5


# Locked by another, or the file is out of reach for a moment: a failed fsync, no room for the files beside it.
PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def is_passing(error: OperationalError) -> bool:
    """Whether the same statement may well succeed in a moment."""
    return _code(error) in PASSING


def is_full(error: OperationalError) -> bool:
    return _code(error) == sqlite3.SQLITE_FULL


def _code(error: OperationalError) -> int:
    """SQLite's primary result code; the extended ones carry more in the higher bits."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF


def insist(context: Context, write: Callable[[Session], T]) -> T:
    """Write however long the database stays locked or the disk full: no run's end may be lost to that."""
    began, last_try = time.monotonic(), math.inf
    while True:
        try:
            with context.db.writing() as session:
                return write(session)
        except OperationalError as error:
            if not (is_passing(error) or is_full(error)) or time.monotonic() > last_try:
                raise
            log.warning("waiting to write for %.0f s: %s", time.monotonic() - began, error.orig)
        if context.stopping.is_set():
            last_try = min(last_try, time.monotonic() + LAST_TRIES_SECONDS)
        time.sleep(PAUSE_SECONDS)
