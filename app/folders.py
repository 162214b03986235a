"""Removing a folder of ours, and nothing beside it."""

import shutil
import time
from pathlib import Path

from sqlmodel import Session, col, select, text

from app.models import Dataset, Run
from app.processes import try_lock


def remove(folder: Path) -> None:
    """A link goes as a link, wherever it leads: the folder itself being one, or anything in it.

    What cannot be removed now takes space and harms nobody, as ids are never used again; the next start tries again.
    """
    if folder.is_symlink():
        folder.unlink(missing_ok=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)  # follows no link, not even one put in a folder's place meanwhile


def is_left(folder: Path, deadline: float) -> bool:
    """Whether no process holds the lock of a run's folder any more, which would make it anew; waits for the last one
    until then, on the monotonic clock."""
    path = folder / "lock"
    while path.is_file() and not path.is_symlink():
        if lock := try_lock(path):
            lock.close()
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def sweep(session: Session, table: type[Dataset] | type[Run], parent: Path) -> None:
    """Remove what interrupted deletions left in `parent`: folders of ids that were given once and have no row.

    An id that this database never gave is another one's: whoever starts on a new database keeps the old one's files.
    """
    known = set(session.exec(select(col(table.id))))
    asked = text("SELECT seq FROM sqlite_sequence WHERE name = :name").bindparams(name=table.__tablename__)
    last: int = session.connection().execute(asked).scalar() or 0
    for folder in parent.glob("*"):
        number = int(folder.name) if folder.name.isascii() and folder.name.isdecimal() else last + 1
        if number <= last and number not in known and folder.name == str(number):
            remove(folder)
