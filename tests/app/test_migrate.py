"""Migrating a database that has rows: copied first, wholly or not at all, never one that a newer program wrote."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from alembic import command

from app import db, migrate, up
from app.db import file_of
from app.errors import Conflict, DiskFull, Unavailable
from app.settings import Settings

BEGINNING = """
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {before!r}


def upgrade() -> None:
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program's own, to which a test adds a next one."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.MIGRATIONS, folder)
    monkeypatch.setattr(migrate, "MIGRATIONS", folder)
    return folder


def add(migrations: Path, revision: str, *body: str) -> None:
    text = BEGINNING.format(revision=revision, before=migrate.head()) + "".join(f"    {line}\n" for line in body)
    (migrations / "versions" / f"{revision}_next.py").write_text(text)


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """An experiment, its run, and a point of it."""
    migrate.upgrade(settings)
    with closing(sqlite3.connect(file_of(settings.database))) as connection:
        connection.executescript(ROWS)
    return settings


ROWS = """
INSERT INTO experiment (id, name, description, created_at) VALUES (1, 'one', '', '2026-01-01 00:00:00');
INSERT INTO run (id, experiment_id, name, notes, tags, origin, config, created_at, status, queue_position,
  cancel_requested, fresh_start, attempt, step, epoch, fraction, warnings, environment)
  VALUES (7, 1, 'r', '', '[]', 'launched', '{}', '2026-01-01 00:00:00', 'completed', 1, 0, 0, 1, 3, 1, 1, '[]', '{}');
INSERT INTO metricname (id, name) VALUES (1, 'train/loss');
INSERT INTO metricpoint VALUES (7, 1, 1, 2.5, 0.1, 0.0);
"""


def tables(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is in a database."""
    with closing(sqlite3.connect(file)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}


def copies(settings: Settings) -> list[str]:
    return sorted(copy.name for copy in settings.backups_dir.glob("*"))


BATCH = (
    "with op.batch_alter_table('run') as batch:",
    "    batch.alter_column('notes', existing_type=sa.String(), nullable=True)",
)


def test_child_rows_survive_a_table_that_is_made_anew(filled: Settings, migrations: Path) -> None:
    add(migrations, "9001", *BATCH)
    migrate.upgrade(filled)
    after = tables(file_of(filled.database))
    assert after["alembic_version"] == [("9001",)]
    assert after["metricpoint"] == [(7, 1, 1, 2.5, 0.1, 0.0)]
    assert [row[0] for row in after["run"]] == [7]


def test_the_database_is_copied_before_its_rows_are_touched(filled: Settings, migrations: Path) -> None:
    before = tables(file_of(filled.database))
    add(migrations, "9001", *BATCH)
    migrate.upgrade(filled)
    assert copies(filled) == ["before-9001-1.db"]
    assert tables(filled.backups_dir / "before-9001-1.db") == before


def test_where_nothing_would_be_lost_nothing_is_copied(settings: Settings, migrations: Path) -> None:
    migrate.upgrade(settings)
    add(migrations, "9001", *BATCH)
    migrate.upgrade(settings)
    migrate.upgrade(settings)
    assert not settings.backups_dir.exists()


def test_the_newest_copies_are_kept(filled: Settings, migrations: Path) -> None:
    for number in range(1, 6):
        add(migrations, f"900{number}", "op.execute('SELECT 1')")
        migrate.upgrade(filled)
    assert copies(filled) == ["before-9003-3.db", "before-9004-4.db", "before-9005-5.db"]


@pytest.mark.parametrize(
    "fault",
    [
        "op.execute('UPDATE nowhere SET x = 1')",
        "raise RuntimeError('a fault')",
        "op.execute('DELETE FROM experiment')",  # its run points nowhere then
    ],
)
def test_a_migration_that_fails_changes_nothing_and_says_where_the_copy_is(
    filled: Settings, migrations: Path, fault: str
) -> None:
    before = tables(file_of(filled.database))
    add(migrations, "9001", *BATCH, "op.create_table('half', sa.Column('id', sa.Integer()))", fault)
    with pytest.raises(Conflict) as refused:
        migrate.upgrade(filled)
    assert tables(file_of(filled.database)) == before
    assert str(filled.backups_dir / "before-9001-1.db") in str(refused.value)
    assert "It is as it was" in str(refused.value)


def test_several_migrations_happen_together_or_not_at_all(filled: Settings, migrations: Path) -> None:
    before = tables(file_of(filled.database))
    add(migrations, "9001", "op.create_table('whole', sa.Column('id', sa.Integer()))")
    add(migrations, "9002", "raise RuntimeError('a fault')")
    with pytest.raises(Conflict, match="a fault"):
        migrate.upgrade(filled)
    assert tables(file_of(filled.database)) == before


def test_no_room_for_the_copy_is_said_before_anything_is_touched(
    filled: Settings, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tables(file_of(filled.database))
    add(migrations, "9001", *BATCH)
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL

    def connect(*_: object, **__: object) -> sqlite3.Connection:
        raise full

    monkeypatch.setattr(migrate.snapshot.sqlite3, "connect", connect)
    with pytest.raises(DiskFull):
        migrate.upgrade(filled)
    monkeypatch.undo()
    assert tables(file_of(filled.database)) == before
    assert copies(filled) == []


@pytest.fixture
def newer(filled: Settings) -> Iterator[Settings]:
    with closing(sqlite3.connect(file_of(filled.database))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    return filled


def test_a_newer_schema_is_refused_in_one_sentence(newer: Settings) -> None:
    before = tables(file_of(newer.database))
    for start in (migrate.upgrade, up.prepare):
        with pytest.raises(Conflict, match=rf"newer Tuneboard \(schema 9999; this one knows up to {migrate.head()}\)"):
            start(newer)
    assert tables(file_of(newer.database)) == before
    assert copies(newer) == []


def test_a_file_that_is_no_database_is_one_sentence(settings: Settings) -> None:
    settings.data_dir.mkdir()
    file_of(settings.database).write_text("no database, by far " * 100)
    with pytest.raises(Unavailable, match="cannot be used: file is not a database"):
        up.prepare(settings)


def test_a_database_that_somebody_holds_is_one_sentence(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "create_engine", partial(db.create_engine, connect_args={"timeout": 0.1}))
    with closing(sqlite3.connect(file_of(filled.database), isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable, match="another process holds its lock"):
            up.prepare(filled)


def test_downgrade_works_as_one_too(filled: Settings) -> None:
    command.downgrade(migrate._config(filled.database), "0001")
    assert tables(file_of(filled.database))["alembic_version"] == [("0001",)]
