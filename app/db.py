"""SQLite as this program speaks to it: WAL, BEGIN IMMEDIATE for writers, a deferred BEGIN for readers, UTC times."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import DateTime, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session

from app.errors import DiskFull, Unavailable

# SQLite's largest integer: a longer number names no row.
MAX_ID = 2**63 - 1

# A writer waits this long for another before it gives up; longer than any transaction of ours.
BUSY_TIMEOUT_MS = 10_000

BUSY = "The database is busy: another process holds its lock. Nothing was stored; try again."
# What SQLite says of a file that cannot be written or read now, and nobody's request is to blame for.
REFUSALS = {
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_IOERR: "The disk of the database reports an error: nothing was stored. See the system's log.",
    sqlite3.SQLITE_READONLY: "The database may only be read: nothing was stored. See the rights of its file and disk.",
    sqlite3.SQLITE_CANTOPEN: "The database cannot be opened: nothing was stored. See its folder's rights and room.",
}


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes; SQLite itself would hand them back naive."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive datetime would be stored as if it were UTC")
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value else None


def now() -> datetime:
    return datetime.now(UTC)


def iso(time: datetime | None) -> str | None:
    """A stored time as the API writes it."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z") if time else None


@dataclass(frozen=True)
class Database:
    """One file, spoken to in two ways: `write` takes the lock at BEGIN, `read` never waits for a writer."""

    write: Engine
    read: Engine

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with Session(self.write, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with Session(self.read) as session:
            yield session

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Holds a connection that has read: as long as there is one, nobody can lock readers out of the file."""
        with self.read.connect() as connection:
            connection.rollback()
            yield

    def dispose(self) -> None:
        self.write.dispose()


def file_of(url: str) -> Path:
    """The file of an SQLite URL."""
    return Path(url.removeprefix("sqlite:///")).absolute()


def refusal(error: BaseException | None) -> Unavailable | None:
    """What a request is answered with when SQLite cannot do its part; None for a fault of ours."""
    if not isinstance(error, sqlite3.OperationalError):
        return None
    code = error.sqlite_errorcode & 0xFF  # the extended codes carry more in the higher bits
    if code == sqlite3.SQLITE_FULL:
        return DiskFull()
    return Unavailable(REFUSALS[code]) if code in REFUSALS else None


@contextmanager
def refusing() -> Iterator[None]:
    """Has what SQLite cannot do now be the error of a request that a page shows beside its form."""
    try:
        yield
    except OperationalError as error:
        if reason := refusal(error.orig):
            raise reason from error
        raise


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Has what SQLite says against a database be one sentence, for a command that cannot go on without it."""
    try:
        yield
    except DatabaseError as error:
        reason = refusal(error.orig) or Unavailable(f"The database {file_of(url)} cannot be used: {error.orig}.")
        raise reason from error


def connect(url: str, busy_timeout_ms: int = BUSY_TIMEOUT_MS, *, durable: bool = False) -> Database:
    """Open the database at an SQLite URL, making its folder; the tables are the migrations' business.

    `durable`: what is committed outlasts a power cut, for a millisecond or two a commit. Without, the last moments may
    be lost whole, which a worker makes up for; a person who was told that a run is queued does not.
    """
    if url.startswith("sqlite:///"):
        file_of(url).parent.mkdir(parents=True, exist_ok=True)
    # Threads are what bounds the connections: a page that asks with two sessions must never wait for itself.
    engine = create_engine(url, max_overflow=-1)
    event.listen(engine, "connect", partial(_on_connect, busy_timeout_ms, "FULL" if durable else "NORMAL"))
    event.listen(engine, "begin", _on_begin)
    return Database(write=engine, read=engine.execution_options(sqlite_begin="BEGIN"))


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A database for as long as the block runs."""
    database = connect(url)
    try:
        yield database
    finally:
        database.dispose()


def _on_connect(busy_timeout_ms: int, synchronous: str, connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN would come too late: we emit it ourselves
    for pragma in (
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        "foreign_keys=ON",
        f"busy_timeout={busy_timeout_ms}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Any) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN IMMEDIATE"))
