"""What happened to every run, in order: SQLite itself writes it down, so that nothing can slip between two looks."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from app.status import TRANSITIONS, RunStatus

TRIGGERS = """
CREATE TABLE IF NOT EXISTS chaos_history (
    id INTEGER PRIMARY KEY, run_id INTEGER, old TEXT, new TEXT, attempt INTEGER, owner TEXT);
CREATE TRIGGER IF NOT EXISTS chaos_run_added AFTER INSERT ON run BEGIN
    INSERT INTO chaos_history (run_id, old, new, attempt, owner)
    VALUES (new.id, NULL, new.status, new.attempt, new.owner);
END;
CREATE TRIGGER IF NOT EXISTS chaos_run_moved AFTER UPDATE ON run
WHEN old.status IS NOT new.status OR old.attempt IS NOT new.attempt BEGIN
    INSERT INTO chaos_history (run_id, old, new, attempt, owner)
    VALUES (new.id, old.status, new.status, new.attempt, new.owner);
END;
"""


@dataclass(frozen=True)
class Move:
    run_id: int
    old: str | None
    new: str
    attempt: int
    owner: str | None

    def __str__(self) -> str:
        return f"run {self.run_id}: {self.old} -> {self.new} (attempt {self.attempt})"


def install(database: Path) -> None:
    """Into a migrated database, before anybody opens it."""
    connection = sqlite3.connect(database)
    connection.executescript(TRIGGERS)
    connection.close()


def moves(connection: sqlite3.Connection) -> dict[int, list[Move]]:
    """All that happened, by run."""
    found: dict[int, list[Move]] = {}
    for row in connection.execute("SELECT run_id, old, new, attempt, owner FROM chaos_history ORDER BY id"):
        found.setdefault(row[0], []).append(Move(*row))
    return found


def violations(happened: list[Move]) -> list[str]:
    """Of one run: moves that are not allowed, and attempts that do not count up by one."""
    found = []
    status: str | None = None
    attempt = 0
    for move in happened:
        if move.old != status:
            found.append(f"{move}: it was {status} before")
        if move.old is not None and RunStatus(move.new) not in TRANSITIONS[RunStatus(move.old)]:
            found.append(f"{move}: not allowed")
        expected = attempt + (move.new == RunStatus.RUNNING)
        if move.attempt != expected:
            found.append(f"{move}: attempt {expected} was to come")
        status, attempt = move.new, move.attempt
    return found
