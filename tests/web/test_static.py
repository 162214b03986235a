"""How static files are kept by browsers."""

from fastapi.testclient import TestClient

from app.web.templating import static


def test_an_address_with_a_version_is_kept_for_ever_and_any_other_asked_for_again(client: TestClient) -> None:
    address = static("css/base.css")
    assert address.startswith("/static/css/base.css?v=")
    assert "immutable" in client.get(address).headers["cache-control"]
    assert client.get("/static/css/base.css").headers["cache-control"] == "no-cache"


def test_what_is_unchanged_is_not_sent_twice(client: TestClient) -> None:
    etag = client.get("/static/js/app.js").headers["etag"]
    assert client.get("/static/js/app.js", headers={"if-none-match": etag}).status_code == 304
