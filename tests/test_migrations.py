"""The migrations themselves: up, down, no drift, and with data in the tables."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import inspect, text

from app import migrate
from app.db import connect
from app.models import Attempt, Experiment, Run, metadata
from app.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def config(settings: Settings) -> Config:
    return migrate._config(settings.database)


def test_an_empty_file_becomes_current(settings: Settings) -> None:
    migrate.upgrade(settings)
    database = connect(settings.database)
    assert migrate.is_current(database)
    assert set(inspect(database.write).get_table_names()) == {*metadata.tables, "alembic_version"}
    database.dispose()


def test_the_file_is_in_wal_mode_before_anybody_works_with_it(settings: Settings) -> None:
    """Switching later needs the file for oneself, and fails where another process writes."""
    migrate.upgrade(settings)
    connection = sqlite3.connect(settings.data_dir / "tuneboard.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_upgrading_twice_changes_nothing(settings: Settings) -> None:
    migrate.upgrade(settings)
    migrate.upgrade(settings)


def test_the_tables_and_the_models_are_the_same(settings: Settings, config: Config) -> None:
    migrate.upgrade(settings)
    command.check(config)


def test_drift_would_be_noticed(settings: Settings, config: Config) -> None:
    migrate.upgrade(settings)
    database = connect(settings.database)
    with database.write.begin() as connection:
        connection.execute(text("ALTER TABLE run ADD COLUMN stray TEXT"))
    database.dispose()
    with pytest.raises(CommandError):
        command.check(config)


def test_down_to_nothing_and_up_again(settings: Settings, config: Config) -> None:
    migrate.upgrade(settings)
    command.downgrade(config, "base")
    database = connect(settings.database)
    assert inspect(database.write).get_table_names() == ["alembic_version"]
    assert not migrate.is_current(database)
    database.dispose()
    migrate.upgrade(settings)


MADE_UNDER_0001 = """
INSERT INTO experiment (id, name, description, created_at) VALUES (1, 'one', '', '2026-01-01');
INSERT INTO run (id, experiment_id, name, notes, tags, origin, config, created_at, status, stage, queue_position,
    cancel_requested, fresh_start, attempt, step, epoch, fraction, warnings, environment)
    VALUES (7, 1, 'r', '', '[]', 'launched', '{}', '2026-01-01', 'running', 'training', 3.0, 0, 0, 2, 40, 0.5, 0.5,
    '[]', '{}');
INSERT INTO attempt (run_id, number, worker, status, started_at, first_step, last_step, reason, died)
    VALUES (7, 1, 'w', 'queued', '2026-01-01', 0, 20, 'Killed', 1);
INSERT INTO metricname (id, name) VALUES (1, 'train/loss');
INSERT INTO metricpoint VALUES (7, 1, 1, 2.5, 0.1, 0.0);
"""


def test_rows_made_under_the_first_schema_come_through_the_second_and_back(settings: Settings, config: Config) -> None:
    connect(settings.database).read.connect().close()
    command.upgrade(config, "0001")
    connection = sqlite3.connect(settings.data_dir / "tuneboard.db")
    connection.executescript(MADE_UNDER_0001)
    before = {table: rows(connection, table) for table in ("run", "attempt", "metricpoint")}
    migrate.upgrade(settings)
    database = connect(settings.database)
    with database.reading() as session:
        run, attempt = session.get_one(Run, 7), session.get_one(Attempt, (7, 1))
        assert (run.step, run.not_before, run.forgiven, run.batch_divisor) == (40, None, 0, 1)
        assert (attempt.reason, attempt.cause) == ("Killed", None)
    database.dispose()
    connection.execute("DELETE FROM run WHERE id = 7")
    assert connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'run'").fetchone() == (7,)
    connection.rollback()
    command.downgrade(config, "0001")
    assert before == {table: rows(connection, table) for table in before}
    connection.close()


def rows(connection: sqlite3.Connection, table: str) -> list[object]:
    return connection.execute(f"SELECT * FROM {table}").fetchall()


def test_children_go_with_their_run_and_a_baseline_is_unset(settings: Settings) -> None:
    migrate.upgrade(settings)
    database = connect(settings.database)
    with database.writing() as session:
        experiment = Experiment(name="one")
        session.add(experiment)
        session.flush()
        assert experiment.id
        run = Run(experiment_id=experiment.id, name="r", config={})
        session.add(run)
        session.flush()
        experiment.baseline_run_id = run.id
        session.add(experiment)
        session.commit()
    with database.write.begin() as connection:
        connection.execute(text("INSERT INTO metricname (id, name) VALUES (1, 'train/loss')"))
        connection.execute(text("INSERT INTO metricpoint VALUES (1, 1, 1, 2.5, 0.1, 0.0)"))
        connection.execute(text("DELETE FROM run WHERE id = 1"))
        assert connection.execute(text("SELECT count(*) FROM metricpoint")).scalar() == 0
        assert connection.execute(text("SELECT baseline_run_id FROM experiment")).scalar() is None
    database.dispose()
