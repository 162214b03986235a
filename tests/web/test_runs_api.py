"""POST, GET, PATCH and DELETE of runs, and what may be done to them in which state."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from app.db import Database
from app.models import Dataset, MetricPoint, Run
from app.settings import Settings
from app.status import RunStatus
from tests.stored_runs import add_completed, add_points, add_run
from tests.web.conftest import FakeWake

URL = "/api/v1/runs"
CONFIG: dict[str, Any] = {"model": {"base_model": "some/model"}, "data": {"dataset": 1}}
UNREACHABLE = "queue unreachable: starts when it is back"

Launch = Callable[..., Response]


@pytest.fixture
def launch(client: TestClient, dataset: Dataset) -> Launch:
    def post(headers: dict[str, str] | None = None, **body: Any) -> Response:
        return client.post(URL, json={"experiment": "first", "config": CONFIG} | body, headers=headers)

    return post


def fields(answer: Response) -> dict[str, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


def test_a_launch_is_stored_queued_and_announced(client: TestClient, launch: Launch, wake: FakeWake) -> None:
    answer = launch(notes="  why not  ", tags=["a", "a", " b "])
    assert answer.status_code == 201
    run = answer.json()
    assert answer.headers["Location"] == f"{URL}/{run['id']}"
    assert client.get(answer.headers["Location"]).json() == run
    assert (run["name"], run["status"], run["origin"], run["attempt"]) == ("Run 1", "queued", "launched", 0)
    assert (run["notes"], run["tags"]) == ("why not", ["a", "b"])
    assert UNREACHABLE not in run["warnings"]
    assert run["experiment"] == {"id": 1, "name": "first"}
    assert run["config"]["lora"]["r"] == 8, "the stored configuration is complete"
    assert run["created_at"].endswith("Z")
    assert wake.ids == [run["id"]]


def test_an_experiment_is_found_by_id_or_name(launch: Launch) -> None:
    first = launch().json()["experiment"]["id"]
    assert launch(experiment=first).json()["experiment"]["id"] == first
    assert launch(experiment=" first ").json()["experiment"]["id"] == first
    assert launch(experiment="second").json()["experiment"]["id"] != first


def test_a_broker_that_is_away_is_a_warning(client: TestClient, launch: Launch, wake: FakeWake) -> None:
    wake.up = False
    answer = launch()
    assert answer.status_code == 201
    assert answer.json()["status"] == "queued"
    assert answer.json()["warnings"][-1] == UNREACHABLE
    stored = client.get(answer.headers["Location"]).json()["warnings"]
    assert UNREACHABLE not in stored, "it is about the moment, not about the run"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"config": CONFIG | {"lora": {"r": 0}}}, "lora.r"),
        ({"config": CONFIG | {"lora": {"r": "8"}}}, "lora.r"),
        ({"config": CONFIG | {"lora": {"rank": 8}}}, "lora.rank"),
        ({"config": CONFIG | {"loras": {}}}, "loras"),
        ({"config": CONFIG | {"training": 3}}, "training"),
        ({"config": CONFIG | {"training": {"load_best_model_at_end": True}}}, "data.validation_fraction"),
        ({"config": {"data": {"dataset": 1}}}, "model"),
        ({"config": CONFIG | {"model": {}}}, "model.base_model"),
        ({"config": CONFIG | {"data": {"dataset": 99}}}, "data.dataset"),
        ({"config": CONFIG | {"data": {"dataset": 10**30}}}, "data.dataset"),
        ({"config": CONFIG | {"data": {"dataset": 1, "eval_fraction": 0.0001}}}, "data.eval_fraction"),
        ({"config": CONFIG | {"model": {"base_model": "/etc"}}}, "model.base_model"),
        ({"config": 3}, "config"),
        ({"experiment": 99}, "experiment"),
        ({"experiment": 10**30}, "experiment"),
        ({"experiment": True}, "experiment"),
        ({"experiment": "  "}, "experiment"),
        ({"tags": ["a", 3]}, "tags"),
        ({"tags": ["x" * 51]}, "tags"),
        ({"name": "x" * 201}, "name"),
        ({"experment": "x"}, "experment"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_and_nothing_is_stored(
    client: TestClient, launch: Launch, wake: FakeWake, body: dict[str, Any], field: str
) -> None:
    answer = launch(**body)
    assert answer.status_code == 422
    assert list(fields(answer)) == [field]
    assert client.get(URL).json()["total"] == 0
    assert wake.ids == []


def test_all_wrong_values_come_in_one_list(launch: Launch) -> None:
    config = CONFIG | {"lora": {"r": 0}, "training": {"learning_rate": 2, "optim": "none"}}
    answer = launch(config=config, notes=3, color="red")
    assert set(fields(answer)) == {"lora.r", "training.learning_rate", "training.optim", "notes", "color"}
    assert answer.json()["title"] == "Some values are not allowed"


def test_a_number_that_is_none_is_refused(client: TestClient, dataset: Dataset) -> None:
    body = '{"experiment": "x", "config": {"model": {"base_model": "a/b"}, "data": {"dataset": 1}, "training": %s}}'
    answer = client.post(URL, content=body % '{"warmup_steps": Infinity}', headers={"content-type": "application/json"})
    assert fields(answer) == {"training.warmup_steps": "This must be a finite number"}


def test_a_repeated_request_is_answered_once(client: TestClient, launch: Launch, wake: FakeWake) -> None:
    key = {"Idempotency-Key": "abc"}
    first, second = launch(key), launch(key)
    assert second.status_code == 201
    assert second.json() == first.json()
    assert second.headers["Location"] == first.headers["Location"]
    assert client.get(URL).json()["total"] == 1
    assert launch({"Idempotency-Key": "abd"}).json()["id"] != first.json()["id"]


def test_the_first_answer_outlives_its_run_and_its_data_set(client: TestClient, launch: Launch) -> None:
    key = {"Idempotency-Key": "abc"}
    first = launch(key).json()
    client.post(f"{URL}/1/cancel")
    client.delete(f"{URL}/1")
    client.delete("/api/v1/datasets/1")
    assert launch(key).json() == first


def test_a_key_stands_for_one_request(launch: Launch) -> None:
    key = {"Idempotency-Key": "abc"}
    launch(key)
    answer = launch(key, name="another")
    assert answer.status_code == 409
    assert "Idempotency-Key" in answer.json()["detail"]


def test_of_concurrent_requests_with_one_key_one_makes_a_run(client: TestClient, launch: Launch) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: launch({"Idempotency-Key": "abc"}), range(16)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert client.get(URL).json()["total"] == 1


def test_concurrent_launches_into_a_new_experiment_share_it(client: TestClient, launch: Launch) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: launch(), range(16)))
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["experiment"]["id"] for answer in answers} == {1}
    assert client.get("/api/v1/experiments/1").json()["runs"] == 16


def test_runs_are_listed_newest_first_a_page_at_a_time(client: TestClient, database: Database) -> None:
    ids = [add_run(database) for _ in range(5)]
    seen: list[int] = []
    cursor = None
    while True:
        page = client.get(URL, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        assert page["total"] == 5 + (cursor is not None)
        seen += [run["id"] for run in page["items"]]
        if cursor is None:
            add_run(database)  # what is new while somebody reads shifts nothing
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ids[::-1]


def test_paging_by_a_value_with_gaps_and_ties_shows_each_run_once(client: TestClient, database: Database) -> None:
    scores = [3.0, 1.0, None, 3.0, 2.0, None]
    ids = [add_completed(database, score) for score in scores]
    for sort, expected in (
        ("eval/perplexity", [1, 4, 0, 3, 2, 5]),
        ("-perplexity", [3, 0, 4, 1, 5, 2]),
    ):
        seen: list[int] = []
        query = {"limit": "1", "sort": sort}
        while True:
            page = client.get(URL, params=query).json()
            seen += [run["id"] for run in page["items"]]
            if not page["next_cursor"]:
                break
            query["cursor"] = page["next_cursor"]
        assert seen == [ids[place] for place in expected]


@pytest.mark.parametrize(
    "sort", ["name", "-created_at", "status", "experiment", "lora.r", "train_seconds", "bleu", "tags", "finished_at"]
)
def test_every_kind_of_column_sorts_and_pages(client: TestClient, database: Database, sort: str) -> None:
    ids = {add_completed(database, 1.0), add_run(database, name="B"), add_run(database, name="a", tags=["x"])}
    first = client.get(URL, params={"sort": sort, "limit": 2}).json()
    second = client.get(URL, params={"sort": sort, "limit": 2, "cursor": first["next_cursor"]}).json()
    assert {run["id"] for run in first["items"] + second["items"]} == ids


def test_names_sort_without_regard_to_case(client: TestClient, database: Database) -> None:
    for name in ("b", "A", "C"):
        add_run(database, name=name)
    assert [run["name"] for run in client.get(URL, params={"sort": "name"}).json()["items"]] == ["A", "b", "C"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"experiment": "study"}, {"one", "two"}),
        ({"experiment": "2"}, {"three"}),
        ({"experiment": "none"}, set()),
        ({"status": "queued"}, {"one", "three"}),
        ({"status": "queued,failed"}, {"one", "two", "three"}),
        ({"filter": "TWO"}, {"two"}),
        ({"filter": "rank 50%"}, {"one"}),
        ({"filter": "rank 5_%"}, set()),
        ({"filter": "größe"}, {"two"}),
        ({"filter": "other"}, {"three"}),
        ({"filter": "three", "status": "failed"}, set()),
    ],
)
def test_filters(client: TestClient, database: Database, query: dict[str, str], names: set[str]) -> None:
    add_run(database, name="one", notes="a rank of 50%")
    add_run(database, RunStatus.FAILED, name="two", tags=["größe"])
    add_run(database, name="three", experiment="other")
    assert {run["name"] for run in client.get(URL, params=query).json()["items"]} == names


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "done"}, "status"),
        ({"sort": "colour"}, "sort"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"cursor": "zzz"}, "cursor"),
        ({"cursor": "WyItaWQiXQ"}, "cursor"),
        ({"experiment": "9" * 30}, "experiment"),
    ],
)
def test_a_query_that_makes_no_sense_is_named(client: TestClient, query: dict[str, str], field: str) -> None:
    answer = client.get(URL, params=query)
    assert answer.status_code == 422
    assert list(fields(answer)) == [field]


def test_a_cursor_belongs_to_its_order(client: TestClient, database: Database) -> None:
    add_run(database)
    add_run(database)
    cursor = client.get(URL, params={"limit": 1}).json()["next_cursor"]
    answer = client.get(URL, params={"limit": 1, "cursor": cursor, "sort": "name"})
    assert list(fields(answer)) == ["cursor"]


def test_what_people_write_about_a_run_can_be_changed(client: TestClient, database: Database) -> None:
    run_id = add_run(database, notes="old", tags=["a"])
    answer = client.patch(f"{URL}/{run_id}", json={"name": " new  name ", "tags": ["b"]})
    assert answer.status_code == 200
    changed = client.get(f"{URL}/{run_id}").json()
    assert (changed["name"], changed["notes"], changed["tags"]) == ("new name", "old", ["b"])
    assert fields(client.patch(f"{URL}/{run_id}", json={"status": "completed"})) == {
        "status": "There is no such setting"
    }
    assert list(fields(client.patch(f"{URL}/{run_id}", json={"name": ""}))) == ["name"]


def test_a_queued_run_is_cancelled_at_once(client: TestClient, database: Database) -> None:
    run_id = add_run(database)
    answer = client.post(f"{URL}/{run_id}/cancel")
    assert answer.status_code == 202
    assert answer.json()["status"] == "cancelled"
    assert answer.json()["finished_at"]


def test_a_running_run_is_asked_to_stop(client: TestClient, database: Database) -> None:
    run_id = add_run(database, RunStatus.RUNNING)
    answer = client.post(f"{URL}/{run_id}/cancel")
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["cancel_requested"]) == ("running", True)
    assert client.post(f"{URL}/{run_id}/cancel").status_code == 202, "asking twice asks for the same"


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED])
def test_an_ended_run_cannot_be_cancelled(client: TestClient, database: Database, status: RunStatus) -> None:
    answer = client.post(f"{URL}/{add_run(database, status)}/cancel")
    assert answer.status_code == 409
    assert answer.json()["detail"] == f"Run 1 has ended: it is {status}."


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELLED])
def test_a_retry_queues_the_same_run_behind_the_others(
    client: TestClient, database: Database, wake: FakeWake, status: RunStatus
) -> None:
    error = {"code": "killed", "title": "t", "detail": "d", "hint": "h"}
    run_id = add_run(database, status, attempt=1, error=error, cancel_requested=True, step=5)
    add_run(database, queue_position=7)
    answer = client.post(f"{URL}/{run_id}/retry")
    assert answer.status_code == 202
    run = answer.json()
    assert (run["id"], run["status"], run["error"], run["cancel_requested"]) == (run_id, "queued", None, False)
    assert run["finished_at"] is None
    assert run["attempt"] == 1, "the next attempt begins when a worker takes it"
    assert [waiting["id"] for waiting in client.get("/api/v1/queue").json()["items"]] == [2, run_id]
    assert wake.ids == [run_id]
    with database.reading() as session:
        assert not session.get_one(Run, run_id).fresh_start


def test_a_fresh_retry_starts_from_zero(client: TestClient, database: Database) -> None:
    run_id = add_run(database, RunStatus.FAILED)
    client.post(f"{URL}/{run_id}/retry", json={"fresh": True})
    with database.reading() as session:
        assert session.get_one(Run, run_id).fresh_start


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.QUEUED, RunStatus.RUNNING])
def test_what_did_not_fail_is_not_tried_again(client: TestClient, database: Database, status: RunStatus) -> None:
    assert client.post(f"{URL}/{add_run(database, status)}/retry").status_code == 409


def test_a_deleted_run_leaves_neither_rows_nor_files(
    client: TestClient, database: Database, settings: Settings
) -> None:
    kept, run_id = add_completed(database, 2.0), add_completed(database, 1.0)
    for run in (kept, run_id):
        add_points(database, run, "train/loss", {1: 2.0})
        settings.run_dir(run).mkdir(parents=True)
    assert client.delete(f"{URL}/{run_id}").status_code == 204
    assert client.get(f"{URL}/{run_id}").status_code == 404
    assert not settings.run_dir(run_id).exists()
    assert settings.run_dir(kept).exists()
    with database.reading() as session:
        assert session.get(MetricPoint, (run_id, 1, 1)) is None
        assert session.get(MetricPoint, (kept, 1, 1)) is not None


def test_a_new_run_never_takes_the_id_of_a_deleted_one(client: TestClient, database: Database) -> None:
    client.delete(f"{URL}/{add_run(database, RunStatus.FAILED)}")
    assert add_run(database) == 2


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING])
def test_a_run_that_has_not_ended_is_not_deleted(client: TestClient, database: Database, status: RunStatus) -> None:
    assert client.delete(f"{URL}/{add_run(database, status)}").status_code == 409


def test_many_runs_are_deleted_together_or_not_at_all(client: TestClient, database: Database) -> None:
    ended, active = [add_run(database, RunStatus.FAILED) for _ in range(2)], add_run(database, RunStatus.RUNNING)
    answer = client.post(f"{URL}/bulk", json={"ids": [*ended, active], "action": "delete"})
    assert answer.status_code == 409
    assert client.get(URL).json()["total"] == 3
    assert client.post(f"{URL}/bulk", json={"ids": [*ended, 77], "action": "delete"}).status_code == 404
    assert client.post(f"{URL}/bulk", json={"ids": ended, "action": "delete"}).status_code == 204
    assert [run["id"] for run in client.get(URL).json()["items"]] == [active]


def test_many_runs_are_tagged_together(client: TestClient, database: Database) -> None:
    ids = [add_run(database, tags=["old", "kept"]), add_run(database)]
    body = {"ids": ids, "action": "tag", "add": ["new", "kept"], "remove": ["old"]}
    assert client.post(f"{URL}/bulk", json=body).status_code == 204
    assert [run["tags"] for run in client.get(URL, params={"sort": "id"}).json()["items"]] == [
        ["kept", "new"],
        ["new", "kept"],
    ]


@pytest.mark.parametrize("action", ["get", "patch", "delete", "cancel", "retry"])
@pytest.mark.parametrize("run_id", ["5", "0", "abc", "9" * 30])
def test_an_unknown_run_is_a_404(client: TestClient, action: str, run_id: str) -> None:
    if action in ("cancel", "retry"):
        answer = client.post(f"{URL}/{run_id}/{action}")
    else:
        answer = client.request(action, f"{URL}/{run_id}", json={} if action == "patch" else None)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
