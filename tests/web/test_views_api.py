"""/views: tables that are kept by name."""

from fastapi.testclient import TestClient

URL = "/api/v1/views"


def test_a_view_is_saved_listed_shown_and_deleted(client: TestClient) -> None:
    answer = client.post(URL, json={"name": "  Small  ranks ", "query": "?filter=lora.r+%3C+16&sort=-eval/bleu"})
    assert answer.status_code == 201
    view = answer.json()
    assert (view["name"], view["query"]) == ("Small ranks", "filter=lora.r+%3C+16&sort=-eval/bleu")
    assert view["created_at"].endswith("Z")
    assert client.get(answer.headers["location"]).json() == view
    client.post(URL, json={"name": "all", "query": ""})
    assert [item["name"] for item in client.get(URL).json()["items"]] == ["all", "Small ranks"]
    assert client.delete(answer.headers["location"]).status_code == 204
    assert client.get(URL).json()["total"] == 1
    assert client.delete(answer.headers["location"]).status_code == 404


def test_the_same_name_replaces(client: TestClient) -> None:
    first, second = (
        client.post(URL, json={"name": "mine", "query": query}).json() for query in ("sort=id", "sort=-id")
    )
    assert first["id"] == second["id"]
    assert [item["query"] for item in client.get(URL).json()["items"]] == ["sort=-id"]


def test_a_view_needs_a_name_and_bounds(client: TestClient) -> None:
    for body, field in (
        ({"name": " ", "query": ""}, "name"),
        ({"name": "x" * 101, "query": ""}, "name"),
        ({"name": "x", "query": "a" * 8001}, "query"),
    ):
        answer = client.post(URL, json=body)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
