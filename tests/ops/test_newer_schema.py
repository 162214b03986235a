"""A data folder that a newer version has used: no command touches it, each says why in one line."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from app import cli, migrate
from app.db import file_of
from app.settings import Settings


@pytest.fixture
def newer(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    migrate.upgrade(settings)
    with closing(sqlite3.connect(file_of(settings.database))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    return settings


SENTENCE = "written by a newer Tuneboard (schema 9999; this one knows up to "


@pytest.mark.parametrize("command", ["up", "web", "worker"])
def test_no_command_starts_on_it(command: str, newer: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command]) == 1
    said = capsys.readouterr().err
    assert said.startswith("tuneboard: ")
    assert said.count("\n") == 1
    assert SENTENCE in said


def test_a_worker_that_is_started_without_the_command_ends(newer: Settings, tmp_path: Path) -> None:
    worker = subprocess.run(
        [sys.executable, "-m", "worker.app"], env=os.environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert worker.returncode == 1
    assert SENTENCE in worker.stdout
    assert "Traceback" not in worker.stdout + worker.stderr
