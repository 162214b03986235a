"""SQLite as this program speaks to it: WAL, BEGIN IMMEDIATE for writers, a deferred BEGIN for readers, UTC times."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import DateTime, Engine, create_engine, event
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session

# SQLite's largest integer: a longer number names no row.
MAX_ID = 2**63 - 1

# A writer waits this long for another before it gives up; longer than any transaction of ours.
BUSY_TIMEOUT_MS = 10_000


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

    def dispose(self) -> None:
        self.write.dispose()


def connect(url: str, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> Database:
    """Open the database at an SQLite URL, making its folder; the tables are the migrations' business."""
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    # Threads are what bounds the connections: a page that asks with two sessions must never wait for itself.
    engine = create_engine(url, max_overflow=-1)
    event.listen(engine, "connect", partial(_on_connect, busy_timeout_ms))
    event.listen(engine, "begin", _on_begin)
    return Database(write=engine, read=engine.execution_options(sqlite_begin="BEGIN"))


def _on_connect(busy_timeout_ms: int, connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN would come too late: we emit it ourselves
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"busy_timeout={busy_timeout_ms}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Any) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN IMMEDIATE"))
