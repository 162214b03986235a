"""The page that asks for the access token."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.web.pages.conftest import BASE, Browser

TOKEN = "correct horse"


@pytest.fixture
def locked(settings: Settings) -> Iterator[Browser]:
    guarded = Settings(data_dir=settings.data_dir, token=TOKEN)
    with TestClient(create_app(guarded), base_url=BASE, follow_redirects=False) as client:
        yield Browser(client)


def test_a_page_leads_to_the_login_and_back(locked: Browser) -> None:
    asked = locked.client.get("/datasets?x=1", headers={"accept": "text/html"})
    assert asked.headers["location"] == "/login?next=/datasets%3Fx%3D1"
    assert 'name="next" value="/datasets?x=1"' in locked.open(asked.headers["location"])
    sent = locked.send("/login", {"token": TOKEN, "next": "/datasets?x=1"}, on="/login")
    assert sent.headers["location"] == "/datasets?x=1"
    assert "Data sets" in locked.open("/datasets")


def test_a_wrong_token_is_said_and_lets_nobody_in(locked: Browser) -> None:
    sent = locked.send("/login", {"token": "wrong", "next": "/"}, on="/login")
    assert sent.status_code == 401
    assert "This is not the server&#39;s token." in sent.text
    assert TOKEN not in sent.text
    assert locked.client.get("/", headers={"accept": "text/html"}).status_code == 303


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_it_leads_nowhere_else(locked: Browser, target: str) -> None:
    sent = locked.send("/login", {"token": TOKEN, "next": target}, on="/login")
    assert sent.headers["location"] == "/"


def test_without_a_token_there_is_nothing_to_ask(new_browser: Browser) -> None:
    answer = new_browser.client.get("/login?next=/queue", follow_redirects=False)
    assert answer.headers["location"] == "/queue"
