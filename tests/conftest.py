"""Shared by all tests: settings whose data folder is the test's own, with a migrated database in it."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from app import migrate
from app.data.dataset_import import importing
from app.db import Database, connect
from app.models import Dataset
from app.settings import Settings
from tests.browser.seed import seed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in the browser come last: its driver keeps an event loop running, and no other test could then have one."""
    items.sort(key=lambda item: "chromium" in getattr(item, "fixturenames", ()))


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


@pytest.fixture
def dataset(settings: Settings, database: Database, tmp_path: Path) -> Dataset:
    """An imported data set of 60 pairs, files and all; no two prompts or responses alike."""
    numbers = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    pairs = [
        (f"Count {a} {b}", f"The {a} comes before the {b} in this row of sixty") for a in numbers[:6] for b in numbers
    ]
    source, folder = tmp_path / "pairs.jsonl", settings.dataset_dir(1)
    source.write_text("".join(json.dumps({"instruction": p, "response": r}) + "\n" for p, r in pairs))
    folder.mkdir(parents=True)
    report = importing.run(source, folder, format="jsonl", columns={}, skip=False)
    with database.writing() as session:
        dataset = Dataset(id=1, name="pairs", **report)
        session.add(dataset)
        session.commit()
    return dataset


@pytest.fixture(scope="session")
def seeded_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a day's work in it, made once: to be copied by tests that change anything."""
    folder = tmp_path_factory.mktemp("seeded")
    seed(Settings(data_dir=folder))
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's Chromium. Without one the tests are skipped, or fail where REQUIRE_BROWSER is set (CI)."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None and os.environ.get("REQUIRE_BROWSER"):
        pytest.fail("REQUIRE_BROWSER is set and there is no chromium on PATH")
    if path is None:
        pytest.skip("no chromium on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()
