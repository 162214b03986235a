"""A real Chromium before a real server: each test gets a page of its own, the server is shared and only read from."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from app.db import Database
from app.settings import ROOT, Settings
from tests.launchable import write_dataset, write_model

Open = Callable[..., Page]


@contextmanager
def serving(data_dir: Path, **environment: str) -> Iterator[str]:
    """A web process of its own on a free port; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "app.web.server"],
        cwd=ROOT,
        env=os.environ | {"TUNEBOARD_DATA_DIR": str(data_dir), "TUNEBOARD_PORT": str(port)} | environment,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/login", process)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(address)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the web process did not come up")


@pytest.fixture(scope="session")
def seeded(seeded_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a day's work in it; tests only read from it."""
    folder = tmp_path_factory.mktemp("served") / "data"
    shutil.copytree(seeded_folder, folder)
    with serving(folder) as address:
        yield address


@pytest.fixture
def data_dir(seeded_folder: Path, tmp_path: Path) -> Path:
    """The same day's work for one test alone, which may change it."""
    shutil.copytree(seeded_folder, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def address(data_dir: Path) -> Iterator[str]:
    with serving(data_dir) as address:
        yield address


@pytest.fixture
def launch_address(settings: Settings, database: Database, tmp_path: Path) -> Iterator[str]:
    """A server with something to launch from, and no broker."""
    write_model(tmp_path / "models" / "tiny")
    write_dataset(database, settings)
    with serving(settings.data_dir, TUNEBOARD_MODEL_DIRS=str(tmp_path / "models")) as address:
        yield address


def field(name: str) -> str:
    """The selector of a form's field: its name has dots."""
    return f'[id="{name}"]'


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory, migrated: bytes) -> Iterator[str]:
    """The address of a server that nothing has been done with yet."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "tuneboard.db").write_bytes(migrated)
    with serving(folder) as address:
        yield address


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Open]:
    """open_page(url, width=1280, scheme="light", javascript=True): a page in a browser profile of its own.

    Whatever the page writes to its console as an error (a blocked style, a script that failed) fails the test, and
    so does an answer of 400 and above, except for 404 and 422 where `missing_is_fine`.
    """
    complaints: list[str] = []
    contexts = []

    def complain(url: str, text: str, *, missing_is_fine: bool) -> None:
        if not (missing_is_fine and ("404" in text or "422" in text)):
            complaints.append(f"{url}: {text}")

    def open_it(
        url: str,
        *,
        width: int = 1280,
        scheme: str = "light",
        javascript: bool = True,
        missing_is_fine: bool = False,
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=javascript,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        note = partial(complain, url, missing_is_fine=missing_is_fine)
        page.on("pageerror", lambda error: note(str(error)))
        page.on("console", lambda message: note(message.text) if message.type == "error" else None)
        page.goto(url)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []
