"""A backup of everything, while everything runs: rows first, then the files that they name.

That order is always consistent. A file is complete before the row that names it is committed, so whatever the rows of
one moment name was there at that moment, and can only have gone since by a deletion, which takes its row first: such a
row is taken out of the copy too, data sets before the runs that use them. Files that have grown since are newer than
their rows, as after a crash, and what resumes a run after a crash is what continues it here. Within a run, checkpoints
are read before its points, so that no checkpoint is ahead of them.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from app import __version__, migrate
from app.backups import archive, snapshot
from app.db import explained, file_of, iso, now, opened, refusal
from app.disk import FULL, sync
from app.errors import Conflict, DiskFull, Unavailable
from app.settings import Settings
from app.status import RunStatus

# What lies in a folder and belongs to whoever works in it now.
PASSING = ("lock",)
CHECKPOINTS = "checkpoints"
# Merged models: as large as their base each, and made again from the adapter, which is in the backup.
EXPORTS = "exports"
# How often a folder that changes while it is looked at is looked at again: a checkpoint is replaced every few seconds.
LOOKS = 10


@dataclass
class Made:
    """What a backup holds."""

    file: Path
    size_bytes: int = 0
    runs: int = 0
    datasets: int = 0
    notes: list[str] = field(default_factory=list)


def make(settings: Settings, target: Path, *, with_models: bool = False) -> Made:
    """Write a backup to `target`, a new file or a folder to make one in; verified before it has its name."""
    database = file_of(settings.database)
    if not database.is_file():
        raise Conflict(f"There is nothing to back up: no database {database}.")
    file = _new_file(target)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        with explained(settings.database), unfinished.open("xb") as stream:
            made = _write(settings, file, stream, with_models=with_models)
            stream.flush()
            os.fsync(stream.fileno())
        with archive.reading(unfinished) as reader:
            reader.verify()
        unfinished.rename(file)
        sync(file.parent)
    except OSError as error:
        reason = DiskFull() if error.errno in FULL else Conflict(f"{file} cannot be written: {error.strerror}.")
        raise reason from None
    except sqlite3.Error as error:
        raise refusal(error) or Unavailable(f"The database {database} cannot be copied: {error}.") from None
    finally:
        unfinished.unlink(missing_ok=True)
    made.size_bytes = file.stat().st_size
    return made


def _new_file(target: Path) -> Path:
    if target.is_dir():
        target /= f"tuneboard-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar"
    if target.exists():
        raise Conflict(f"{target} is there already: name another file.")
    if not target.parent.is_dir():
        raise Conflict(f"There is no folder {target.parent}.")
    return target


def _write(settings: Settings, file: Path, stream: IO[bytes], *, with_models: bool) -> Made:
    made, writer = Made(file), archive.Writer(stream)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.", suffix=".tmp") as folder:
        rows = Path(folder) / archive.DATABASE
        with opened(settings.database) as database:
            revision = migrate.revision(database)
        migrate.refuse_newer(file_of(settings.database), revision)
        snapshot.take(file_of(settings.database), rows)
        with closing(sqlite3.connect(rows)) as copy, closing(sqlite3.connect(file_of(settings.database))) as live:
            copy.execute("PRAGMA foreign_keys=ON")
            made.datasets = _add_datasets(settings, writer, copy, live, made.notes)
            made.runs = _add_runs(settings, writer, copy, live)
            copy.commit()
        _add_folder(writer, "baselines", settings.baselines_dir)
        if with_models:
            _add_models(writer, settings.downloads_dir)
        with rows.open("rb") as content:
            writer.add(archive.DATABASE, content, rows.stat().st_size)
    writer.finish(__version__, revision or "", iso(now()) or "")
    return made


def _add_runs(settings: Settings, writer: archive.Writer, copy: sqlite3.Connection, live: sqlite3.Connection) -> int:
    """Of a completed run no checkpoint is needed any more; any other may go on from its last one. No merged models."""
    runs = copy.execute("SELECT id, status FROM run ORDER BY status = 'completed', id").fetchall()
    for run_id, status in runs:
        left_out = (EXPORTS, CHECKPOINTS) if status == RunStatus.COMPLETED else (EXPORTS,)
        with _open_all(settings.run_dir(run_id), left_out) as files:
            if _is_gone(live, "run", run_id):
                copy.execute("DELETE FROM run WHERE id = ?", (run_id,))
                continue
            _add(writer, f"runs/{run_id}", files)
    return int(copy.execute("SELECT count(*) FROM run").fetchone()[0])


def _add_datasets(
    settings: Settings, writer: archive.Writer, copy: sqlite3.Connection, live: sqlite3.Connection, notes: list[str]
) -> int:
    for (dataset_id,) in copy.execute("SELECT id FROM dataset ORDER BY id").fetchall():
        with _open_all(settings.dataset_dir(dataset_id), ()) as files:
            if _is_gone(live, "dataset", dataset_id):
                copy.execute("DELETE FROM run WHERE dataset_id = ?", (dataset_id,))  # they had to go before it
                copy.execute("DELETE FROM dataset WHERE id = ?", (dataset_id,))
                continue
            if not files:
                notes.append(f"data set {dataset_id} has no files: it can be seen and not be trained on")
            _add(writer, f"datasets/{dataset_id}", files)
    return int(copy.execute("SELECT count(*) FROM dataset").fetchone()[0])


def _is_gone(live: sqlite3.Connection, table: str, row_id: int) -> bool:
    """Asked when all files are open: a deletion takes the row before the first file, so with a row there were all."""
    query = {"run": "SELECT 1 FROM run WHERE id = ?", "dataset": "SELECT 1 FROM dataset WHERE id = ?"}[table]
    return not live.execute(query, (row_id,)).fetchall()  # all: a statement left open would stay in its moment


def _add(writer: archive.Writer, prefix: str, files: dict[str, IO[bytes]]) -> None:
    for name, file in files.items():
        writer.add(f"{prefix}/{name}", file, os.fstat(file.fileno()).st_size)


@contextmanager
def _open_all(folder: Path, left_out: tuple[str, ...]) -> Iterator[dict[str, IO[bytes]]]:
    """Every plain file below a folder, open: what is open stays whole, whoever removes or replaces it."""
    for look in range(LOOKS):
        with ExitStack() as stack:
            try:
                files = {name: stack.enter_context(_open(folder / name)) for name in _names(folder, left_out)}
            except FileNotFoundError:
                if look < LOOKS - 1:
                    continue
                raise Conflict(f"{folder} changes too quickly to be read. Try again.") from None
            yield files
            return


def _names(folder: Path, left_out: tuple[str, ...]) -> list[str]:
    """Checkpoints first. Links are left out, as is what another process is just writing."""
    found: list[str] = []
    if not folder.is_dir():
        return found  # of a run that has not begun
    for where, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not _is_passing(name) and name not in left_out]
        here = Path(where)
        plain = [here / name for name in files if not _is_passing(name) and not (here / name).is_symlink()]
        found += [file.relative_to(folder).as_posix() for file in plain]
    return sorted(found, key=lambda name: (not name.startswith(CHECKPOINTS), name))


def _raise(error: OSError) -> None:
    raise error


def _is_passing(name: str) -> bool:
    return name in PASSING or name.startswith(".") or name.endswith(".tmp")


def _open(file: Path) -> IO[bytes]:
    return os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def _add_folder(writer: archive.Writer, prefix: str, folder: Path) -> None:
    """Files that are only ever added or replaced whole, one after the other."""
    for name in _names(folder, ()):
        with _open(folder / name) as file:
            _add(writer, prefix, {name: file})


def _add_models(writer: archive.Writer, folder: Path) -> None:
    """The hub's cache without its links: each file under the name that it is read by, its content only once."""
    for link in sorted(folder.glob("*/snapshots/*/**/*")):
        file = link.resolve()
        if file.is_file() and file.is_relative_to(folder.resolve()):
            with file.open("rb") as content:
                _add(writer, "models", {link.relative_to(folder).as_posix(): content})
    for reference in sorted(folder.glob("*/refs/**/*")):
        if reference.is_file() and not reference.is_symlink():
            with _open(reference) as content:
                _add(writer, "models", {reference.relative_to(folder).as_posix(): content})
