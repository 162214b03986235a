"""What is sent can be stored and shown again, or is refused; found by tests/web/fuzz, kept here by name."""

import json

import pytest
from fastapi.testclient import TestClient

HALF = "\\ud800"


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/experiments", f'{{"name": "{HALF}"}}', "name"),
        ("POST", "/runs/bulk", f'{{"ids": [1], "action": "tag", "add": ["ok", "{HALF}"]}}', "add.1"),
        ("PATCH", "/runs/1", f'{{"tags": ["{HALF}"]}}', "tags.0"),
        ("POST", "/experiments", f'{{"name": "a", "{HALF}": 1}}', "body"),
    ],
)
def test_half_a_surrogate_pair_is_refused_with_its_place(
    client: TestClient, method: str, path: str, body: str, field: str
) -> None:
    answer = client.request(method, f"/api/v1{path}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert "surrogate" in answer.json()["detail"]


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/events?runs=" + "9" * 5000,
        "/api/v1/runs?experiment=" + "9" * 5000,
        "/api/v1/runs?filter=" + "a+" * 3000,
        "/api/v1/runs?cursor=WyJpZCIsIHRydWUsIHRydWVd",
        "/api/v1/runs?cursor=WyJpZCIsIDEsIDk5OTk5OTk5OTk5OTk5OTk5OTk5XQ",
        "/api/v1/datasets?cursor=WyJpZCIsICJcdWQ4MDAiLCAxXQ",
    ],
    ids=lambda address: address[:60],
)
def test_an_odd_question_is_refused(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_step_beyond_all_numbers_is_refused(client: TestClient) -> None:
    assert client.get("/api/v1/runs/1/metrics?after=" + "9" * 30).status_code == 422


def test_columns_too_long_for_a_command_line_are_refused(client: TestClient) -> None:
    columns = json.dumps({"prompt": "\N{GRINNING FACE}" * 20_000}, ensure_ascii=False)
    file = {"file": ("rows.jsonl", b'{"prompt": "a", "response": "b"}')}
    answer = client.post("/api/v1/datasets", files=file, data={"columns": columns})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["columns"]


def test_allow_names_every_method(client: TestClient) -> None:
    assert client.put("/api/v1/runs/1").headers["allow"] == "GET, PATCH, DELETE"
    assert client.delete("/api/v1/experiments").headers["allow"] == "GET, POST"
