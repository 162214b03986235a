"""Whether everything that a run needs is there: each part by name, with its state in words."""

import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from app import broker, claims, lock_holder, migrate, workers
from app.db import Database, file_of
from app.settings import Settings

# A small run's checkpoints and adapter; below this the next one would fail halfway.
LEAST_FREE_BYTES = 500_000_000
# A look at the health must not take long itself.
WRITE_SECONDS = 0.5
# An idle worker takes a run at once, and looks for one that it was not told of every few seconds.
STUCK_SECONDS = 60.0


@dataclass(frozen=True)
class Part:
    up: bool
    state: str


@dataclass
class QueueWatch:
    """Since when one run has been the next while a live worker had nothing to do: kept from one look to the next.

    On the monotonic clock: setting the date makes no queue look stuck.
    """

    run_id: int | None = None
    since: float = 0.0

    def look(self, run_id: int | None) -> float:
        """Seconds that this run, or none, has waited so."""
        if run_id is None or run_id != self.run_id:
            self.run_id, self.since = run_id, time.monotonic()
        return time.monotonic() - self.since if run_id else 0.0


def parts(settings: Settings, database: Database, watch: QueueWatch) -> dict[str, Part]:
    schema = _schema(database)
    tables = schema is not None and schema.up
    unknown = Part(False, "unknown, as the tables are not there")
    return {
        "database": _written(settings) if schema else Part(False, "cannot be read"),
        "schema": schema or Part(False, "unknown, as the database cannot be read"),
        "disk": _disk(settings),
        "broker": Part(True, "answers") if broker.answers(settings) else Part(False, "does not answer: runs wait"),
        "worker": _worker(database) if tables else unknown,
        "queue": _queue(database, watch) if tables else unknown,
    }


def _written(settings: Settings) -> Part:
    """A real write, that changes nothing: a database that can only be read stores no run."""
    file = file_of(settings.database)
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", WRITE_SECONDS, uri=True)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = version_num")
    except sqlite3.Error as error:
        by = lock_holder.holder(file) if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY else None
        return Part(False, f"cannot be written: {error}{f' by {by}' if by else ''}")
    return Part(True, "can be written")


def _schema(database: Database) -> Part | None:
    try:
        found = migrate.revision(database)
    except SQLAlchemyError:
        return None
    if found == migrate.head():
        return Part(True, f"current ({found})")
    if not migrate.is_known(found):
        return Part(False, f"newer ({found}) than this program ({migrate.head()}): start the version that wrote it")
    return Part(False, f"not current ({found or 'none'} of {migrate.head()}): `tuneboard up` migrates it")


def _disk(settings: Settings) -> Part:
    try:
        free = shutil.disk_usage(settings.data_dir).free
    except OSError as error:
        return Part(False, f"the data folder cannot be read: {error.strerror}")
    state = f"{free / 1e9:.1f} GB free"
    return Part(True, state) if free >= LEAST_FREE_BYTES else Part(False, f"{state}: too little for a run")


def _worker(database: Database) -> Part:
    with database.reading() as session:
        alive = [worker.name for worker, lives in workers.list_workers(session) if lives]
    return Part(True, f"alive: {', '.join(alive)}") if alive else Part(False, "none is alive: runs wait")


def _queue(database: Database, watch: QueueWatch) -> Part:
    with database.reading() as session:
        idle = any(lives and worker.run_id is None for worker, lives in workers.list_workers(session))
        due = claims.next_due(session)
    seconds = watch.look(due if idle else None)
    if seconds > STUCK_SECONDS:
        return Part(False, f"stuck: run {due} has waited for {seconds:.0f} s beside an idle worker; restart the worker")
    if due is None:
        return Part(True, "nothing waits")
    return Part(True, "moves" if idle else "waits for a worker")
