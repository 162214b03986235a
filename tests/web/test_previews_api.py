"""Previews and lengths over REST, with a worker's own threads behind them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from app import errands
from app.db import Database
from app.leases import lease
from app.models import Dataset, Worker
from app.queue import celery_app
from app.settings import Settings
from worker import errands as doing
from worker.context import Context

READ = {"model": "sample/clinic-2m", "prompt_template": "auto", "max_length": 64}


@contextmanager
def worker(settings: Settings, database: Database, *, works: bool = True) -> Iterator[None]:
    """One that lives; with its threads, or with nobody in them."""
    beat = lease(60)
    row = Worker(name="w", hostname="h", pid=1, version="0", device="CPU", boot=beat.boot, beat_until=beat.until)
    with database.writing() as session:
        session.add(row)
        session.commit()
    if not works:
        yield
        return
    with doing.running(Context(settings, database, celery_app("memory://"), "w", "q")):
        yield


def test_a_row_and_the_lengths_of_all_rows(
    client: TestClient, settings: Settings, database: Database, dataset: Dataset
) -> None:
    with worker(settings, database):
        shown = client.post("/api/v1/previews", json=READ | {"dataset": 1, "row": 7})
        counted = client.post("/api/v1/datasets/1/lengths", json=READ)
        while counted.status_code == 202:
            assert client.get(f"/api/v1/errands/{counted.json()['id']}").json()["kind"] == "lengths"
            counted = client.post("/api/v1/datasets/1/lengths", json=READ)
    row, lengths = shown.json(), counted.json()
    assert "Count one eight" in row["text"]
    assert row["text"] == "".join(token["text"] for token in row["tokens"])
    assert (lengths["rows"], lengths["fitting"] + lengths["shortened"]) == (60, 60)
    assert lengths["whole"]["min"] <= row["tokens_before"] <= lengths["whole"]["max"]
    # Known from now on, whatever the length and whoever is there.
    shorter = client.post("/api/v1/datasets/1/lengths", json=READ | {"max_length": 16})
    assert shorter.json()["fitting"] < 60


def test_the_same_question_is_asked_once(
    client: TestClient, settings: Settings, database: Database, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.token_readings.SECONDS", 0)
    monkeypatch.setattr("app.web.token_readings.preview.__defaults__", (0,))
    with worker(settings, database, works=False):
        first, second = (client.post("/api/v1/previews", json=READ | {"dataset": 1, "row": 7}) for _ in range(2))
        other = client.post("/api/v1/previews", json=READ | {"dataset": 1, "row": 8})
    assert (first.status_code, first.json()["status"]) == (202, "queued")
    assert first.json()["id"] == second.json()["id"] != other.json()["id"]
    cancelled = client.delete(f"/api/v1/errands/{first.json()['id']}")
    assert cancelled.json()["status"] == "cancelled"
    assert client.get("/api/v1/errands/99").status_code == 404


def test_without_a_worker_nobody_waits(client: TestClient, dataset: Dataset) -> None:
    refused = client.post("/api/v1/previews", json=READ | {"dataset": 1, "row": 0})
    assert refused.status_code == 503
    assert "No worker is running" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"row": 60}, 422, "row"),
        ({"row": -1}, 422, "row"),
        ({"model": "organisation/away"}, 422, "model"),
        ({"max_length": 3}, 422, "max_length"),
        ({"dataset": 9}, 404, None),
    ],
)
def test_what_cannot_be_shown_is_refused_by_its_field(
    client: TestClient, dataset: Dataset, change: dict[str, object], status: int, field: str | None
) -> None:
    refused = client.post("/api/v1/previews", json=READ | {"dataset": 1, "row": 0} | change)
    assert refused.status_code == status
    assert [error["field"] for error in refused.json()["errors"]] == ([field] if field else [])


def test_a_failed_one_is_told_in_its_words_and_asked_again(
    client: TestClient, settings: Settings, database: Database, dataset: Dataset
) -> None:
    with worker(settings, database):
        refused = client.post(
            "/api/v1/previews", json=READ | {"dataset": 1, "row": 0, "prompt_template": "{{ nothing.at }}"}
        )
    assert refused.status_code == 409
    assert "prompt template" in refused.json()["detail"]
    with database.reading() as session:
        assert errands.get(session, 1).status == "failed"
