"""The application on a database with a day's work in it (tests/browser/seed.py), and forms as a browser sends them."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from app.db import Database, connect
from app.main import create_app
from app.settings import Settings

BASE = "http://127.0.0.1:8000"


@pytest.fixture
def worked(tmp_path: Path, seeded_folder: Path) -> Settings:
    """Settings of a data folder of the test's own, with the day's work in it."""
    shutil.copytree(seeded_folder, tmp_path / "worked")
    return Settings(data_dir=tmp_path / "worked")


@pytest.fixture
def records(worked: Settings) -> Iterator[Database]:
    database = connect(worked.database)
    yield database
    database.dispose()


class Browser:
    """Asks for pages as a browser does, and posts forms with the token of the page they stand on."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def open(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path, headers={"accept": "text/html"})
        assert answer.status_code == status, answer.text
        return answer.text

    def send(self, path: str, data: dict[str, object], *, on: str = "/experiments") -> Response:
        token = re.search(r'name="_token" value="([^"]+)"', self.open(on))
        assert token
        headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}
        fields = data | {"_token": token[1]}
        return self.client.post(path, data=fields, headers=headers, follow_redirects=False)


@pytest.fixture
def browser(worked: Settings) -> Iterator[Browser]:
    with TestClient(create_app(worked), base_url=BASE) as client:
        yield Browser(client)


@pytest.fixture
def new_browser(settings: Settings) -> Iterator[Browser]:
    """Before anything has been done."""
    with TestClient(create_app(settings), base_url=BASE) as client:
        yield Browser(client)
