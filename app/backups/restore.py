"""A backup becomes a data folder: into an empty one only, all of it checked before anything is in place."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app import migrate
from app.backups import archive
from app.db import file_of
from app.disk import FULL, sync
from app.errors import Conflict, DiskFull
from app.processes import exclusive, waiting_lock
from app.settings import Settings
from app.up import LOCK, PREPARE_LOCK, make_data_dir

# Where a backup is unpacked, beside what it becomes; what a killed restore leaves of it goes with the next one.
STAGING = ".restoring"
KNOWN = {LOCK, PREPARE_LOCK, STAGING}


@dataclass(frozen=True)
class Restored:
    """What is there now; `unfinished` is how many runs wait or were running."""

    runs: int
    datasets: int
    unfinished: int


def restore(settings: Settings, file: Path) -> Restored:
    """Unpack, check, then move into place, the database last: a folder that has one is whole.

    A run that was running is still `running` in it. Its worker's lease is of another boot or long over, and nobody
    holds the run's lock: the next worker finds it abandoned and goes on from its last checkpoint.
    """
    with archive.reading(file) as reader, _alone(settings):
        migrate.refuse_newer(file, reader.manifest.revision or None)
        staging, database = settings.data_dir / STAGING, file_of(settings.database)
        unpacked = database.with_name(f".{database.name}.restoring")
        try:
            _check_room(settings, reader)
            _unpack(reader, staging, unpacked)
            found = _check_database(file, unpacked)
            _move(settings, staging, unpacked, database)
        except OSError as error:
            raise (DiskFull() if error.errno in FULL else Conflict(f"Cannot restore: {error}.")) from None
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            unpacked.unlink(missing_ok=True)
    return found


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """The folder to ourselves: `up`, `web` and `worker` take the same locks before they touch anything."""
    make_data_dir(settings)
    refusal = f"Tuneboard runs on the data folder {settings.data_dir}, or another restore does: stop it first"
    with exclusive(settings.data_dir / LOCK, refusal), waiting_lock(settings.data_dir / PREPARE_LOCK):
        _refuse_used(settings)
        yield


def _refuse_used(settings: Settings) -> None:
    database = file_of(settings.database)
    way = "Restore into a new folder (--data-dir), or move this one away first: nothing here was changed."
    if database.exists():
        raise Conflict(f"There is a database already: {database}. {way}")
    if found := sorted(path.name for path in settings.data_dir.iterdir() if path.name not in KNOWN):
        raise Conflict(f"The data folder {settings.data_dir} is not empty: it has {', '.join(found[:5])}. {way}")
    shutil.rmtree(settings.data_dir / STAGING, ignore_errors=True)


def _check_room(settings: Settings, reader: archive.Reader) -> None:
    needed, free = reader.manifest.size_bytes, shutil.disk_usage(settings.data_dir).free
    if needed > free:
        raise Conflict(
            f"The backup takes {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free. Nothing was changed."
        )


def _unpack(reader: archive.Reader, staging: Path, unpacked: Path) -> None:
    for entry, content in reader.files():
        target = unpacked if entry.name == archive.DATABASE else staging / entry.name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            for chunk in content:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())


def _check_database(file: Path, unpacked: Path) -> Restored:
    try:
        with closing(sqlite3.connect(unpacked)) as connection:
            if (answer := connection.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
                raise Conflict(f"The database in {file} is damaged: {answer[0][0]}. Nothing was changed.")
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or (None,)
            migrate.refuse_newer(file, revision)
            count = "SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM dataset), (SELECT count(*) FROM run "
            numbers = connection.execute(count + "WHERE status IN ('queued', 'running'))").fetchone()
    except sqlite3.Error as error:
        raise Conflict(f"The database in {file} cannot be read: {error}. Nothing was changed.") from None
    return Restored(*numbers)


def _move(settings: Settings, staging: Path, unpacked: Path, database: Path) -> None:
    with ExitStack() as undo:
        for folder, target in zip(archive.FOLDERS, _targets(settings), strict=True):
            if (staging / folder).is_dir():
                (staging / folder).rename(target)
                undo.callback(shutil.rmtree, target, ignore_errors=True)
        sync(settings.data_dir)
        unpacked.rename(database)
        undo.pop_all()
    sync(database.parent)


def _targets(settings: Settings) -> tuple[Path, ...]:
    """Where each of archive.FOLDERS belongs."""
    return settings.datasets_dir, settings.runs_dir, settings.baselines_dir, settings.downloads_dir
