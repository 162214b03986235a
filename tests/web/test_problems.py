"""Errors on their way out: problem+json for programs, a page for people, never a traceback."""

import sqlite3

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import db
from app.main import create_app
from app.settings import Settings

PERSON = {"accept": "text/html,application/xhtml+xml"}
BASE = "http://127.0.0.1:8000"


@pytest.fixture
def broken(app: FastAPI) -> TestClient:
    """With a route that has a fault."""

    @app.get("/api/v1/fault")
    @app.get("/fault")
    def fault() -> None:
        raise ValueError("the secret reason")

    return TestClient(app, base_url=BASE, raise_server_exceptions=False)


def test_an_unknown_path_is_a_problem(client: TestClient) -> None:
    answer = client.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing at /api/v1/nothing.",
        "errors": [],
    }


def test_a_person_gets_a_page(client: TestClient) -> None:
    answer = client.get("/nothing<script>", headers=PERSON)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "There is nothing at /nothing&lt;script&gt;." in answer.text


def test_the_api_answers_a_browser_in_json_too(client: TestClient) -> None:
    assert client.get("/api/v1/nothing", headers=PERSON).headers["content-type"] == "application/problem+json"


def test_a_method_that_is_not_there_says_which_are(client: TestClient) -> None:
    answer = client.put("/api/v1/experiments", json={})
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert "POST" in answer.headers["allow"] or "GET" in answer.headers["allow"]


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b'{"name": }'])
def test_what_is_not_json_is_malformed(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/v1/experiments", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == (400 if body else 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/api/v1/fault", "/fault"])
@pytest.mark.parametrize("headers", [{}, PERSON])
def test_a_fault_of_ours_shows_no_traceback(broken: TestClient, path: str, headers: dict[str, str]) -> None:
    answer = broken.get(path, headers=headers)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert "log" in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")


def test_a_locked_database_is_a_503_and_nothing_is_stored(settings: Settings) -> None:
    app = create_app(settings)
    app.state.db = db.connect(settings.database, busy_timeout_ms=50)
    with TestClient(app, base_url=BASE) as client:
        other = sqlite3.connect(settings.data_dir / "tuneboard.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        answer = client.post("/api/v1/experiments", json={"name": "x"})
        assert client.get("/api/v1/experiments").json()["total"] == 0, "readers do not wait for a writer"
        other.execute("ROLLBACK")
        other.close()
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "Nothing was stored" in answer.json()["detail"]
        assert client.post("/api/v1/experiments", json={"name": "x"}).status_code == 201


def test_a_full_disk_is_a_503(settings: Settings) -> None:
    with TestClient(create_app(settings), base_url=BASE) as client:
        client.post("/api/v1/experiments", json={"name": "x"})
        database = client.app.state.db  # type: ignore[attr-defined]

        def is_full(connection: sqlite3.Connection, *_: object) -> None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")

        database.write.dispose()
        db.event.listen(database.write, "connect", is_full)
        answer = client.post("/api/v1/experiments", json={"name": "y", "description": "z" * 9000})
        assert answer.status_code == 503
        assert "disk is full" in answer.json()["detail"]
