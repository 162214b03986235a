"""A copy of the database as one moment saw it, made while others go on reading and writing."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from app.db import BUSY_TIMEOUT_MS, refusal
from app.disk import sync
from app.errors import Unavailable


def take(database: Path, target: Path) -> None:
    """One whole file, no WAL beside it; Unavailable, with nothing left behind, where it cannot be made."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", BUSY_TIMEOUT_MS / 1000, uri=True)) as connection:
            connection.execute("VACUUM INTO ?", (str(unfinished),))
        sync(unfinished)
        unfinished.rename(target)
        sync(target.parent)
    except sqlite3.Error as error:
        raise refusal(error) or Unavailable(f"The database {database} cannot be copied: {error}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
