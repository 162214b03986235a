"""Whether everything that a run needs is there: each part by name, with its state in words."""

import shutil
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from app import broker, migrate, workers
from app.db import Database
from app.settings import Settings

# A small run's checkpoints and adapter; below this the next one would fail halfway.
LEAST_FREE_BYTES = 500_000_000


@dataclass(frozen=True)
class Part:
    up: bool
    state: str


def parts(settings: Settings, database: Database) -> dict[str, Part]:
    schema = _schema(database)
    return {
        "database": Part(True, "answers") if schema else Part(False, "cannot be read"),
        "schema": schema or Part(False, "unknown, as the database cannot be read"),
        "disk": _disk(settings),
        "broker": Part(True, "answers") if broker.answers(settings) else Part(False, "does not answer: runs wait"),
        "worker": _worker(database) if schema and schema.up else Part(False, "unknown, as the tables are not there"),
    }


def _schema(database: Database) -> Part | None:
    try:
        current = migrate.is_current(database)
    except SQLAlchemyError:
        return None
    return Part(True, "current") if current else Part(False, "not current: `tuneboard up` migrates it")


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
