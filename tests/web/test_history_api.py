"""GET /api/v1/history: series of many runs, written by hand and so held against what the usual way answers."""

import gzip
import json

import pytest
from fastapi.testclient import TestClient

from app.db import Database
from app.web.api import history
from tests.stored_runs import add_completed, add_points


@pytest.fixture
def runs(database: Database) -> list[int]:
    """Two runs: a long loss with a peak that no even sampling would meet and a gap, and a short one."""
    first, second = add_completed(database, 20), add_completed(database, 21)
    long: dict[int, float | None] = {step: 3 - step / 1000 for step in range(1, 901)}
    add_points(database, first, "train/loss", long | {333: 97.5, 334: None})
    add_points(database, first, "train/learning_rate", {1: 1.23456789e-05, 2: 2e-4})
    add_points(database, second, "train/loss", {5: 2.0, 10: 1.0})
    return [first, second]


def ask(client: TestClient, runs: list[int], **params: str | int) -> list[dict[str, object]]:
    asked = {"runs": ",".join(map(str, runs)), "name": "train/loss"} | params
    response = client.get("/api/v1/history", params=asked)
    assert response.status_code == 200, response.text
    found: list[dict[str, object]] = response.json()["series"]
    return found


def test_every_point_is_there_while_there_is_room(client: TestClient, runs: list[int]) -> None:
    long, short = ask(client, runs, max_points=2000)
    assert (long["run"], long["points"], long["sampled"]) == (runs[0], 900, False)
    usual = client.get(f"/api/v1/runs/{runs[0]}/metrics", params={"name": "train/loss"}).json()["series"][0]
    usual["values"] = [value if value is None else float(f"{value:.6g}") for value in usual["values"]]
    assert {name: long[name] for name in usual} == usual
    assert short == {
        "run": runs[1],
        "name": "train/loss",
        "steps": [5, 10],
        "values": [2, 1],
        "times": [10, 20],
        "epochs": [0.5, 1],
        "points": 2,
        "sampled": False,
    }


def test_fewer_points_say_so_and_keep_peaks(client: TestClient, runs: list[int]) -> None:
    long, short = ask(client, runs, max_points=20)
    values = long["values"]
    assert isinstance(values, list)
    assert long["sampled"] is True
    assert long["points"] == 900
    assert len(values) <= 20
    assert 97.5 in values
    assert short["sampled"] is False


def test_more_series_share_the_room_of_one_answer(
    client: TestClient, runs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_IN_ALL", 100)
    long, _ = ask(client, runs, max_points=2000)
    assert long["sampled"] is True
    assert len(long["steps"]) <= 50  # type: ignore[arg-type]


def test_small_numbers_keep_their_digits(client: TestClient, runs: list[int]) -> None:
    (rate,) = ask(client, runs, name="train/learning_rate")
    assert rate["values"] == [1.23457e-05, 2e-4]


def test_runs_that_are_not_there_have_no_series(client: TestClient, runs: list[int]) -> None:
    assert [one["run"] for one in ask(client, [987_654, runs[1]])] == [runs[1]]
    assert ask(client, runs, name="no/such") == []


def test_only_later_points(client: TestClient, runs: list[int]) -> None:
    assert [one["steps"] for one in ask(client, runs, after=899)] == [[900]]


def test_it_is_packed_only_for_those_who_unpack(client: TestClient, runs: list[int]) -> None:
    address = f"/api/v1/history?runs={runs[0]}&name=train/loss"
    plain = client.get(address, headers={"accept-encoding": "identity"})
    with client.stream("GET", address, headers={"accept-encoding": "gzip"}) as packed:
        body = b"".join(packed.iter_raw())
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert json.loads(gzip.decompress(body)) == plain.json()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("runs=&name=train/loss", "runs"),
        ("runs=x&name=train/loss", "runs"),
        ("runs=" + ",".join(map(str, range(1, 102))) + "&name=train/loss", "runs"),
        ("runs=1", "name"),
        ("runs=1&name=,", "name"),
        ("runs=1&name=train/loss&max_points=1", "max_points"),
    ],
)
def test_what_cannot_be_answered_is_said(client: TestClient, query: str, field: str) -> None:
    response = client.get(f"/api/v1/history?{query}")
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_the_answer_is_as_documented(client: TestClient, runs: list[int]) -> None:
    answer = client.get(f"/api/v1/history?runs={runs[0]}&name=train/loss,train/learning_rate").json()
    assert len(history.History.model_validate(answer).series) == 2
