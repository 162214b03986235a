"""Who may ask what: Host, cross-site writes, the token, body sizes, and the headers of every answer."""

import re
import time
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from app.web import secrets, security

BASE = "http://127.0.0.1:8000"
TOKEN = "correct horse battery"
NEW = {"name": "x"}
EXPERIMENTS = "/api/v1/experiments"


@pytest.fixture
def guarded(settings: Settings) -> Iterator[TestClient]:
    """A server with a token."""
    with TestClient(create_app(settings.model_copy(update={"token": TOKEN})), base_url=BASE) as client:
        yield client


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("LOCALHOST:9", 200),
        ("[::1]:8000", 200),
        ("192.168.1.7:8000", 200),  # an address cannot be rebound, and the server listens only where it was told to
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("127.0.0.1.evil.example:8000", 400),
        ("", 400),
        ("[", 400),
        ("127.0.0.1:x", 400),
        ("a@127.0.0.1", 400),
    ],
)
def test_a_host_that_is_not_ours_is_refused(client: TestClient, host: str, status: int) -> None:
    for path in ("/api/v1/version", "/healthz", "/static/img/logo.svg"):
        assert client.get(path, headers={"host": host}).status_code == status


def test_more_hosts_can_be_allowed(settings: Settings) -> None:
    allowed = settings.model_copy(update={"allowed_hosts": "tune.lan, other.lan"})
    with TestClient(create_app(allowed), base_url="http://tune.lan") as client:
        assert client.get("/api/v1/version").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),  # a script
        ({"sec-fetch-site": "same-origin"}, 201),
        ({"sec-fetch-site": "none"}, 201),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),  # another port of this machine
        ({"sec-fetch-site": "same-origin", "origin": "http://evil.example"}, 201),  # the browser's own word counts
        ({"origin": "http://127.0.0.1:8000"}, 201),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"origin": ""}, 403),
    ],
)
def test_another_sites_page_may_not_write(client: TestClient, headers: dict[str, str], status: int) -> None:
    assert client.post(EXPERIMENTS, json=NEW, headers=headers).status_code == status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_every_writing_method_is_held_to_this_site(client: TestClient, method: str) -> None:
    answer = client.request(method, f"{EXPERIMENTS}/1", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


def test_reading_is_not(client: TestClient) -> None:
    assert client.get("/api/v1/version", headers={"sec-fetch-site": "cross-site"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": f"bearer {TOKEN}"}, 200),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "Bearer"}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"cookie": f"{security.COOKIE}={TOKEN}"}, 401),
        ({"cookie": f"{security.COOKIE}=\u00e4"}, 401),
    ],
)
def test_with_a_token_every_call_needs_it(guarded: TestClient, headers: dict[str, str], status: int) -> None:
    encoded = {name: value.encode() for name, value in headers.items()}
    answer = guarded.get("/api/v1/version", headers=encoded)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.text


def test_every_route_but_the_probes_and_the_login_needs_the_token(guarded: TestClient, app: FastAPI) -> None:
    paths = [*app.openapi()["paths"], "/", "/runs/new", "/openapi.json", "/docs", "/nothing"]
    for path in paths:
        status = guarded.get(re.sub(r"{[^}]*}", "1", path)).status_code
        assert (status == 401) == (path not in security.OPEN_PATHS), path


def test_a_browser_is_sent_to_the_login_and_back(guarded: TestClient) -> None:
    page = guarded.get("/runs/new?clone=1", headers={"accept": "text/html"}, follow_redirects=False)
    assert page.status_code == 303
    assert page.headers["location"] == "/login?next=/runs/new%3Fclone%3D1"


def test_the_login_cookie_lets_in_and_holds_no_token(guarded: TestClient, settings: Settings) -> None:
    guarded_settings = settings.model_copy(update={"token": TOKEN})
    form = {"token": TOKEN, "next": "/queue", "_token": secrets.make_form_token(guarded_settings)}
    answer = guarded.post("/login", data=form, follow_redirects=False)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert guarded.get("/api/v1/version").status_code == 200


def test_a_new_token_ends_old_logins(settings: Settings) -> None:
    old = secrets.sign(settings.model_copy(update={"token": TOKEN}), "login")
    with TestClient(create_app(settings.model_copy(update={"token": "new"})), base_url=BASE) as client:
        assert client.get("/api/v1/version", headers={"cookie": f"{security.COOKIE}={old}"}).status_code == 401


def test_without_a_token_no_empty_one_is_asked_for(settings: Settings) -> None:
    assert not security.is_token(settings, "")


def test_a_form_token_is_good_for_a_week_and_only_here(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    token = secrets.make_form_token(settings)
    assert secrets.is_form_token(settings, token)
    other = settings.model_copy(update={"data_dir": tmp_path_factory.mktemp("other")})
    assert not secrets.is_form_token(other, token)
    for forged in ("", ".", "x", token[:-1], f"1{token}", "9" * 40 + "." + token.partition(".")[2], "²." + "0" * 64):
        assert not secrets.is_form_token(settings, forged)
    later = time.time() + secrets.FORM_TOKEN_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert not secrets.is_form_token(settings, token)


def test_the_secret_is_readable_by_its_user_alone(settings: Settings) -> None:
    secrets.make_form_token(settings)
    secret = settings.data_dir / "secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert len(secret.read_bytes()) == 32
    assert list(settings.data_dir.glob("secret.*")) == []


def test_a_page_form_needs_its_token(client: TestClient) -> None:
    answer = client.post("/login", data={"token": "x"}, headers={"accept": "text/html"})
    assert answer.status_code == 403
    assert "Load its page again" in answer.text


@pytest.mark.parametrize("path", ["/api/v1/version", "/api/v1/nothing", "/openapi.json", "/static/img/logo.svg", "/"])
def test_every_answer_tells_the_browser_to_trust_nothing_else(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; img-src 'self' data:;")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_a_refusal_has_the_headers_too(client: TestClient) -> None:
    refused = client.get("/", headers={"host": "evil.example"})
    assert refused.headers["x-content-type-options"] == "nosniff"


def test_a_body_of_more_than_a_megabyte_is_too_large(client: TestClient) -> None:
    answer = client.post(EXPERIMENTS, json={"name": "x", "description": "y" * 1_000_000})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_so_is_one_that_does_not_say_how_long_it_is(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"name": "'
        for _ in range(20):
            yield b"x" * 100_000
        yield b'"}'

    answer = client.post(EXPERIMENTS, content=chunks(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_a_length_that_is_no_number_is_malformed(client: TestClient) -> None:
    answer = client.post(EXPERIMENTS, content=b"{}", headers={"content-length": "many"})
    assert answer.status_code == 400


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", None])
def test_a_body_that_is_no_json_is_of_the_wrong_media_type(client: TestClient, media_type: str | None) -> None:
    """A form of another site could send these without asking first; the API takes none of them."""
    headers = {"content-type": media_type} if media_type else {}
    answer = client.post(EXPERIMENTS, content=b'{"name": "x"}', headers=headers)
    assert answer.status_code == 415
