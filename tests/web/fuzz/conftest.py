"""A web process on a day's work, for calls that nobody makes on purpose."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.web.process import Web, web


@pytest.fixture
def served(seeded_folder: Path, tmp_path: Path) -> Iterator[Web]:
    shutil.copytree(seeded_folder, tmp_path / "served")
    with web(tmp_path / "served", tmp_path / "web.log") as process:
        yield process


@pytest.fixture
def http(served: Web) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.address, timeout=30) as client:
        yield client
