"""The command line's HTTP client: what it sends, and how refusals read."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from app.errors import Unavailable
from app.settings import Settings
from app.terminal.client import Client, Refused

PROBLEM = "application/problem+json"


class Answering(BaseHTTPRequestHandler):
    """Answers every request with what the test says, and keeps what was asked."""

    answer: ClassVar[tuple[int, str, Any]] = (200, "application/json", {})
    asked: ClassVar[list[tuple[str, str, str | None]]] = []

    def do_GET(self) -> None:
        status, kind, body = self.answer
        self.asked.append((self.command, self.path, self.headers.get("Authorization")))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(Answering, "asked", [])
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    yield Settings(port=server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


def refusal(settings: Settings, monkeypatch: pytest.MonkeyPatch, status: int, body: Any, kind: str = PROBLEM) -> str:
    monkeypatch.setattr(Answering, "answer", (status, kind, body))
    with Client(settings) as client, pytest.raises(Refused) as raised:
        client.post("/runs", {})
    return str(raised.value)


def test_it_asks_the_api_and_leaves_proxies_alone(settings: Settings) -> None:
    with Client(settings) as client:
        client.get("/runs", limit=3)
        client.post("/runs", {"experiment": "x"})
    assert Answering.asked == [("GET", "/api/v1/runs?limit=3", None), ("POST", "/api/v1/runs", None)]


def test_it_sends_the_token(settings: Settings) -> None:
    with Client(settings.model_copy(update={"token": "secret"})) as client:
        client.get("/runs")
    assert Answering.asked[0][2] == "Bearer secret"


def test_a_refusal_names_each_field(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [{"field": "lora.r", "message": "Too small"}, {"field": "data.dataset", "message": "This is needed"}]
    problem = {"title": "Some values are not allowed", "detail": "", "errors": errors}
    assert refusal(settings, monkeypatch, 422, problem) == "lora.r: Too small; data.dataset: This is needed"


def test_a_refusal_without_fields_is_its_detail(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = {"title": "Not found", "detail": "There is no run 9.", "errors": []}
    assert refusal(settings, monkeypatch, 404, problem) == "There is no run 9."


def test_a_missing_token_says_where_to_set_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = {"title": "Token needed", "detail": "This server asks for a token.", "errors": []}
    assert refusal(settings, monkeypatch, 401, problem).endswith("Set TUNEBOARD_TOKEN.")


def test_another_program_on_the_port_is_recognised(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for status in (200, 404):
        said = refusal(settings, monkeypatch, status, "?", "text/html")
        assert said.endswith(f"answered {status}: is that Tuneboard?")


def test_nobody_there_says_how_to_start_it() -> None:
    with Client(Settings(port=1)) as client, pytest.raises(Unavailable, match="start it with `tuneboard up`"):
        client.get("/runs")
