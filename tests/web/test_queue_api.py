"""/queue: what runs, what waits, and changing the order."""

from fastapi.testclient import TestClient

from app.claims import claim
from app.db import Database
from app.leases import lease
from app.status import RunStatus
from tests.stored_runs import add_run

URL = "/api/v1/queue"


def test_what_waits_stands_in_the_order_it_will_run(client: TestClient, database: Database) -> None:
    running = add_run(database, RunStatus.RUNNING)
    last, first = add_run(database, queue_position=2), add_run(database, queue_position=1)
    add_run(database, RunStatus.COMPLETED)
    answer = client.get(URL).json()
    assert [run["id"] for run in answer["items"]] == [first, last]
    assert [run["id"] for run in answer["running"]] == [running]
    assert (answer["total"], answer["next_cursor"]) == (2, None)


def test_the_order_can_be_changed_and_the_worker_follows_it(client: TestClient, database: Database) -> None:
    a, b, c = (add_run(database, queue_position=place) for place in (1, 2, 3))
    answer = client.patch(URL, json={"runs": [c]})
    assert answer.status_code == 200
    assert [run["id"] for run in answer.json()["items"]] == [c, a, b]
    client.patch(URL, json={"runs": [b, a, b]})
    with database.writing() as session:
        taken = [claim(session, "w", lease(60)) for _ in range(3)]
    assert [claimed.run_id for claimed in taken if claimed] == [b, a, c]


def test_what_does_not_wait_any_more_is_a_conflict_and_changes_nothing(client: TestClient, database: Database) -> None:
    running = add_run(database, RunStatus.RUNNING)
    a, b = add_run(database, queue_position=1), add_run(database, queue_position=2)
    answer = client.patch(URL, json={"runs": [b, running]})
    assert answer.status_code == 409
    assert f"run {running}" in answer.json()["detail"]
    assert [run["id"] for run in client.get(URL).json()["items"]] == [a, b]


def test_an_order_without_runs_is_a_422(client: TestClient) -> None:
    for body in ({}, {"runs": []}, {"runs": ["1"]}, {"runs": [0]}, {"runs": [10**30]}):
        answer = client.patch(URL, json=body)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["runs"]
