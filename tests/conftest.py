"""Shared by all tests: settings whose data folder is the test's own, with a migrated database in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app import migrate
from app.db import Database, connect
from app.settings import Settings


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty database of the newest schema, made once and copied by each test."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("migrated"))
    migrate.upgrade(settings)
    return (settings.data_dir / "tuneboard.db").read_bytes()


@pytest.fixture
def settings(tmp_path: Path, migrated: bytes) -> Settings:
    settings = Settings(data_dir=tmp_path / "data")
    settings.data_dir.mkdir()
    (settings.data_dir / "tuneboard.db").write_bytes(migrated)
    return settings


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = connect(settings.database)
    yield database
    database.dispose()
