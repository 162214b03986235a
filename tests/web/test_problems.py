"""Errors on their way out: problem+json for programs, a page for people, never a traceback."""

from fastapi.testclient import TestClient


def test_an_unknown_path_is_a_problem(client: TestClient) -> None:
    answer = client.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "There is nothing at /api/v1/nothing."
