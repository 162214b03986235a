"""/runs/{id}/exports: merged once at a time, offered when whole, deleted on request; and the part of the run's page."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import errand_claims, exports, leases
from app.db import Database
from app.models import Worker
from app.settings import Settings
from tests.stored_runs import add_completed, add_run

METRICS = {"perplexity": 20.0, "bleu": 0.4, "rouge_l": 0.5}
CHANGE = {"absolute": 0.0123, "interval": [-0.5, 0.6]}
RESCORED = {
    "adapter": METRICS,
    "merged": METRICS,
    "changes": {"perplexity": CHANGE, "bleu": None, "rouge_l": CHANGE},
    "same_answers": 29,
    "rows": 30,
    "dtype": "bfloat16",
}


@pytest.fixture
def run(database: Database, settings: Settings) -> int:
    beat = leases.lease(60)
    with database.writing() as session:
        session.add(
            Worker(name="w", hostname="h", pid=1, version="0", device="CPU", boot=beat.boot, beat_until=beat.until)
        )
        session.commit()
    run_id = add_completed(database, 20.0)
    (settings.run_dir(run_id) / "artifacts").mkdir(parents=True)
    (settings.run_dir(run_id) / "artifacts" / "adapter.zip").write_bytes(b"zip")
    return run_id


def write_merged(settings: Settings, run_id: int) -> None:
    folder: Path = exports.folder(settings, run_id)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "rescored.json").write_text(json.dumps(RESCORED))
    item = {"name": "model.safetensors", "size_bytes": 7, "sha256": "0" * 64, "media_type": "application/octet-stream"}
    (folder / "manifest.json").write_text(json.dumps([item, item | {"name": "../../artifacts/adapter.zip"}]))


def post(client: TestClient, run_id: int, path: str = "", **body: Any) -> Any:
    return client.post(f"/api/v1/runs/{run_id}/exports{path}", json=body)


def test_a_merge_is_asked_for_once(client: TestClient, run: int) -> None:
    first, second = post(client, run, kind="merged"), post(client, run, kind="merged")
    assert (first.status_code, first.json()["kind"], first.json()["run"]) == (202, "merge", run)
    assert first.headers["location"] == f"/api/v1/errands/{first.json()['id']}"
    assert second.json()["id"] == first.json()["id"]


def test_a_run_without_a_finished_adapter_has_nothing_to_export(
    client: TestClient, run: int, database: Database
) -> None:
    waiting = add_run(database)
    assert post(client, waiting, kind="merged").status_code == 409
    assert post(client, 99, kind="merged").status_code == 404
    assert post(client, run, kind="gguf").status_code == 422
    assert "Use it" not in client.get(f"/runs/{waiting}").text


def test_a_merged_model_is_listed_downloaded_and_deleted(client: TestClient, run: int, settings: Settings) -> None:
    url = f"/api/v1/runs/{run}/exports"
    assert client.get(url).json() == {"items": [], "next_cursor": None, "total": 0}
    write_merged(settings, run)
    [item] = client.get(url).json()["items"]
    assert (item["kind"], item["dtype"], item["size_bytes"]) == ("merged", "bfloat16", 7)
    assert item["rescored"]["changes"]["perplexity"] == CHANGE
    assert [file["name"] for file in item["files"]] == ["model.safetensors"]
    assert client.get(f"{url}/merged/model.safetensors").content == b"weights"
    assert client.get(f"{url}/merged/rescored.json").status_code == 404
    assert client.delete(f"{url}/merged").status_code == 204
    assert client.delete(f"{url}/merged").status_code == 404
    assert not exports.folder(settings, run).exists()
    assert (settings.run_dir(run) / "artifacts" / "adapter.zip").is_file()


def test_a_copy_needs_a_repository_and_something_to_copy(client: TestClient, run: int, settings: Settings) -> None:
    bad = post(client, run, "/pushes", what="adapter", repository="no-owner")
    assert [error["field"] for error in bad.json()["errors"]] == ["repository"]
    assert post(client, run, "/pushes", what="merged", repository="owner/name").status_code == 409
    write_merged(settings, run)
    asked = post(client, run, "/pushes", what="merged", repository="owner/name")
    assert asked.json()["request"] == {"what": "merged", "repository": "owner/name", "private": True}
    assert client.delete(f"/api/v1/runs/{run}/exports/merged").status_code == 409


def test_the_page_of_the_run_shows_how_far_it_is_and_what_it_came_to(
    client: TestClient, run: int, settings: Settings, database: Database
) -> None:
    assert "which any program loads" in client.get(f"/runs/{run}").text
    token = client.get(f"/runs/{run}").text.split('name="_token" value="')[1].split('"')[0]
    client.post(f"/runs/{run}/exports/merge", data={"_token": token})
    with database.writing() as session:
        taken = errand_claims.claim(session, ["merge"], "w", leases.lease(60))
        assert taken
        errand_claims.report(session, taken[0], leases.lease(60), {"stage": "measuring"})
    part = client.get(f"/runs/{run}/exports").text
    assert "Measuring the merged model" in part
    assert "data-open" in part
    write_merged(settings, run)
    with database.writing() as session:
        errand_claims.finish(session, taken[0], {"rescored": RESCORED})
    part = client.get(f"/runs/{run}/exports").text
    assert "data-open" not in part
    assert "+0.0123" in part
    assert "95 % interval −0.5000 to +0.6000" in part
    assert "does not compare" in part
    client.post(f"/runs/{run}/exports/delete", data={"_token": token})
    assert "which any program loads" in client.get(f"/runs/{run}/exports").text
