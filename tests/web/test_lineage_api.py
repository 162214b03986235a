"""Where a run comes from: what the launch form and REST keep of it, and what of it is told when runs are deleted."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db import Database
from app.models import Dataset, Run
from app.status import RunStatus

CONFIG: dict[str, Any] = {"model": {"base_model": "some/model"}, "data": {"dataset": 1}}
RANKS = {"config": CONFIG, "axes": {"lora.r": [4, 8], "training.learning_rate": [1e-4, 2e-4]}}


@pytest.fixture(autouse=True)
def _dataset(dataset: Dataset) -> None:
    """What the runs are launched on."""


def launch(client: TestClient, config: dict[str, Any] = CONFIG, **body: Any) -> int:
    answer = client.post("/api/v1/runs", json={"experiment": "study", "config": config} | body)
    assert answer.status_code == 201, answer.text
    number: int = answer.json()["id"]
    return number


def lineage(client: TestClient, run_id: int) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/v1/runs/{run_id}/lineage").json()
    return found


def test_a_clone_and_its_source_know_each_other_and_what_was_changed(client: TestClient) -> None:
    source = launch(client, name="first")
    clone = launch(client, CONFIG | {"lora": {"r": 16}}, cloned_from=source)
    changes = {"lora.r": {"from": 8, "to": 16}}
    assert lineage(client, clone)["source"] == {"id": source, "name": "first", "status": "queued", "changes": changes}
    assert [(found["id"], found["changes"]) for found in lineage(client, source)["clones"]] == [(clone, changes)]
    assert client.get(f"/api/v1/runs/{clone}").json()["cloned_from"] == source
    assert lineage(client, source)["sweep"] is None


def test_a_source_that_was_deleted_is_still_named(client: TestClient, database: Database) -> None:
    source = launch(client)
    clone = launch(client, cloned_from=source)
    with database.writing() as session:
        session.get_one(Run, source).status = RunStatus.CANCELLED
        session.commit()
    assert client.delete(f"/api/v1/runs/{source}").status_code == 204
    found = lineage(client, clone)
    assert (found["cloned_from"], found["source"]) == (source, None)
    page = client.get(f"/runs/{clone}", headers={"accept": "text/html"}).text
    assert f"run {source}, which was deleted" in page


def test_a_run_cannot_come_from_one_that_is_not_there(client: TestClient) -> None:
    answer = client.post("/api/v1/runs", json={"experiment": "study", "config": CONFIG, "cloned_from": 77})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "cloned_from", "message": "There is no run 77"}]


def test_the_runs_of_a_sweep_know_each_other_and_what_was_varied(client: TestClient) -> None:
    first, second = (client.post("/api/v1/sweeps", json=RANKS | {"experiment": "study"}).json() for _ in range(2))
    ids = [run["id"] for run in first["runs"]]
    record = {
        "id": ids[0],
        "method": "grid",
        "axes": {"training.learning_rate": [2e-4, 1e-4], "lora.r": [8, 4]},
    }
    assert [run["sweep"] for run in first["runs"]] == [record] * 4
    found = lineage(client, ids[3])
    assert [other["id"] for other in found["siblings"]] == ids, "and none of the sweep that came next"
    assert [len(other["changes"]) for other in found["siblings"]][3] == 0
    assert {run["sweep"]["id"] for run in second["runs"]} == {second["runs"][0]["id"]}


def test_a_list_of_runs_is_a_sweep_too(client: TestClient) -> None:
    runs = [{"name": "a", "set": {}}, {"name": "b", "set": {"lora.target_modules": ["q_proj"]}}]
    made = client.post("/api/v1/sweeps", json={"experiment": "study", "config": CONFIG, "runs": runs}).json()["runs"]
    assert made[1]["sweep"]["method"] == "list"
    assert made[1]["sweep"]["axes"] == {"lora.target_modules": ["all-linear", ["q_proj"]]}
