"""/experiments: the questions that runs answer."""

from fastapi.testclient import TestClient

from app.db import Database
from app.status import RunStatus
from tests.stored_runs import add_run

URL = "/api/v1/experiments"


def test_an_experiment_is_made_found_changed_and_deleted(client: TestClient) -> None:
    answer = client.post(URL, json={"name": " Which  rank? ", "description": " Four or eight "})
    assert answer.status_code == 201
    experiment = answer.json()
    assert answer.headers["Location"] == f"{URL}/1"
    assert (experiment["name"], experiment["description"]) == ("Which rank?", "Four or eight")
    assert (experiment["runs"], experiment["baseline_run"]) == (0, None)
    assert client.get(f"{URL}/1").json() == experiment
    assert client.get(URL).json() == {"items": [experiment], "next_cursor": None, "total": 1}
    assert client.patch(f"{URL}/1", json={"name": "Rank"}).json() == experiment | {"name": "Rank"}
    assert client.delete(f"{URL}/1").status_code == 204
    assert client.get(f"{URL}/1").status_code == 404


def test_a_name_belongs_to_one_experiment(client: TestClient) -> None:
    client.post(URL, json={"name": "a"})
    client.post(URL, json={"name": "b"})
    assert client.post(URL, json={"name": "a"}).status_code == 409
    assert client.patch(f"{URL}/2", json={"name": "a"}).status_code == 409
    assert client.patch(f"{URL}/2", json={"name": "b"}).status_code == 200


def test_the_baseline_is_the_first_run_unless_set(client: TestClient, database: Database) -> None:
    first, second = add_run(database), add_run(database, RunStatus.FAILED)
    assert client.get(f"{URL}/1").json()["baseline_run"] == first
    assert client.patch(f"{URL}/1", json={"baseline_run": second}).json()["baseline_run"] == second
    assert client.get(f"{URL}/1").json()["statuses"] == {
        "queued": 1, "running": 0, "completed": 0, "failed": 1, "cancelled": 0
    }  # fmt: skip
    client.delete(f"/api/v1/runs/{second}")
    assert client.get(f"{URL}/1").json()["baseline_run"] == first, "a deleted baseline is no baseline"
    assert client.patch(f"{URL}/1", json={"baseline_run": None}).json()["baseline_run"] == first


def test_a_baseline_is_one_of_its_own_runs(client: TestClient, database: Database) -> None:
    add_run(database)
    foreign = add_run(database, experiment="other")
    for run in (foreign, 99):
        answer = client.patch(f"{URL}/1", json={"baseline_run": run})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["baseline_run"]


def test_an_experiment_with_runs_is_not_deleted(client: TestClient, database: Database) -> None:
    add_run(database)
    answer = client.delete(f"{URL}/1")
    assert answer.status_code == 409
    assert "1 run" in answer.json()["detail"]


def test_bad_bodies_are_named(client: TestClient) -> None:
    client.post(URL, json={"name": "a"})
    for body, field in (
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": 3}, "name"),
        ({"name": "b", "colour": "red"}, "colour"),
    ):
        answer = client.post(URL, json=body)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert client.patch(f"{URL}/1", json={"baseline_run": 10**30}).status_code == 422
    assert client.get(f"{URL}/77").status_code == 404
