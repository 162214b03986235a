"""Metrics, log, predictions, attempts and artifacts of a run over HTTP."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import claims, retries
from app.db import Database, now
from app.errors import RunError
from app.leases import lease
from app.models import Attempt
from app.settings import Settings
from tests.stored_runs import add_points, add_run

URL = "/api/v1/runs/1"


@pytest.fixture
def run_dir(settings: Settings, database: Database) -> Path:
    folder = settings.run_dir(add_run(database))
    (folder / "artifacts").mkdir(parents=True)
    return folder


def prediction(row: int, base: float, tuned: float | None, nll: float = 2.0) -> dict[str, Any]:
    return {
        "row": row,
        "prompt": f"Q{row}",
        "reference": "R",
        "base": "B",
        "finetuned": "F",
        "prompt_tokens": [1, 2],
        "reference_tokens": [3],
        "scores": {
            "base": {"nll": 4.0, "tokens": 2, "rouge_l": base},
            "finetuned": {"nll": nll, "tokens": 2, "rouge_l": tuned},
        },
    }


def store(run_dir: Path, predictions: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(item) + "\n" for item in predictions)
    (run_dir / "artifacts" / "predictions.jsonl").write_text(lines)


def test_metrics_have_the_contracts_shape(client: TestClient, database: Database, run_dir: Path) -> None:
    add_points(database, 1, "train/loss", dict.fromkeys(range(1, 101), 1.0))
    add_points(database, 1, "eval/loss", {50: None})
    answer = client.get(f"{URL}/metrics", params={"max_points": 20}).json()
    by_name = {series["name"]: series for series in answer["series"]}
    assert set(by_name["train/loss"]) >= {"name", "steps", "values", "times", "points", "sampled"}
    assert (by_name["train/loss"]["points"], by_name["train/loss"]["sampled"]) == (100, True)
    assert by_name["eval/loss"] == {"name": "eval/loss", "steps": [50], "values": [None], "times": [100.0],
                                    "epochs": [5.0], "points": 1, "sampled": False}  # fmt: skip


def test_series_are_picked_by_name(client: TestClient, database: Database, run_dir: Path) -> None:
    for name in ("a/b", "c/d", "e/f"):
        add_points(database, 1, name, {1: 1.0})
    for query in ("name=a/b&name=c/d", "name=a/b,c/d"):
        assert [s["name"] for s in client.get(f"{URL}/metrics?{query}").json()["series"]] == ["a/b", "c/d"]


def test_only_what_is_new_comes_after_a_step(client: TestClient, database: Database, run_dir: Path) -> None:
    add_points(database, 1, "a/b", dict.fromkeys(range(1, 101), 1.0))
    (series,) = client.get(f"{URL}/metrics", params={"after": 98}).json()["series"]
    assert (series["steps"], series["points"], series["sampled"]) == ([99, 100], 2, False)
    assert client.get(f"{URL}/metrics", params={"after": 100}).json() == {"series": []}


def test_log_lines_come_after_an_offset(client: TestClient, run_dir: Path) -> None:
    (run_dir / "run.log").write_text("one\ntwo\n")
    whole = {"lines": ["one", "two"], "offsets": [0, 4], "next": 8, "size": 8}
    assert client.get(f"{URL}/logs").json() == whole
    assert client.get(f"{URL}/logs", params={"after": 4}).json()["lines"] == ["two"]
    assert client.get(f"{URL}/logs", params={"tail": 1}).json()["lines"] == ["two"]
    assert client.get(f"{URL}/logs", params={"after": -1}).status_code == 422


def test_log_lines_are_searched_for_a_text(client: TestClient, run_dir: Path) -> None:
    (run_dir / "run.log").write_text("loading\nLoss 3\nnothing\nloss 2\n")
    found = client.get(f"{URL}/logs", params={"search": "loss"}).json()
    assert found == {"lines": ["Loss 3", "loss 2"], "offsets": [8, 23], "next": 30, "size": 30}
    assert client.get(f"{URL}/logs", params={"search": "loss", "after": 9}).json()["lines"] == ["loss 2"]
    assert client.get(f"{URL}/logs", params={"search": "x" * 201}).status_code == 422


def test_the_configuration_is_a_file_to_launch_from(client: TestClient, run_dir: Path) -> None:
    answer = client.get(f"{URL}/config.json")
    assert 'filename="config.json"' in answer.headers["content-disposition"]
    assert answer.json() == client.get(URL).json()["config"]
    assert client.get("/api/v1/runs/77/config.json").status_code == 404


def test_predictions_have_the_contracts_shape(client: TestClient, run_dir: Path) -> None:
    store(run_dir, [prediction(0, 0.1, 0.5)])
    assert client.get(f"{URL}/predictions").json() == {
        "items": [prediction(0, 0.1, 0.5)],
        "next_cursor": None,
        "total": 1,
    }


@pytest.mark.parametrize(
    ("sort", "rows"),
    [
        ("row", [0, 1, 2, 3]),
        ("-row", [3, 2, 1, 0]),
        ("rouge_l", [1, 0, 3, 2]),
        ("-rouge_l", [3, 0, 1, 2]),
        ("gain", [1, 0, 3, 2]),
        ("-gain", [3, 0, 1, 2]),
        ("base_rouge_l", [3, 0, 2, 1]),
        ("-loss", [1, 0, 2, 3]),
    ],
)
def test_predictions_sort_with_missing_scores_last(
    client: TestClient, run_dir: Path, sort: str, rows: list[int]
) -> None:
    scores = [(0.2, 0.5), (0.9, 0.1, 9.0), (0.3, None), (0.1, 0.7)]
    store(run_dir, [prediction(row, *values) for row, values in enumerate(scores)])
    assert [item["row"] for item in client.get(f"{URL}/predictions?sort={sort}").json()["items"]] == rows


def test_predictions_come_a_page_at_a_time(client: TestClient, run_dir: Path) -> None:
    store(run_dir, [prediction(row, 0.1, 0.1) for row in range(5)])
    seen: list[int] = []
    query = {"limit": "2", "sort": "-row"}
    while True:
        page = client.get(f"{URL}/predictions", params=query).json()
        assert page["total"] == 5
        seen += [item["row"] for item in page["items"]]
        if not page["next_cursor"]:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("query", [{"sort": "colour"}, {"limit": "0"}, {"cursor": "x"}, {"cursor": "-1"}])
def test_a_query_for_predictions_that_makes_no_sense(client: TestClient, run_dir: Path, query: dict[str, str]) -> None:
    store(run_dir, [prediction(0, 0.1, 0.1)])
    answer = client.get(f"{URL}/predictions", params=query)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == list(query)


def test_before_evaluation_there_is_nothing(client: TestClient, run_dir: Path) -> None:
    assert client.get(f"{URL}/predictions").json() == {"items": [], "next_cursor": None, "total": 0}
    assert client.get(f"{URL}/artifacts").json() == {"items": [], "next_cursor": None, "total": 0}


def manifest(run_dir: Path, *names: str) -> None:
    items = [{"name": n, "size_bytes": 3, "sha256": "0" * 64, "media_type": "application/zip"} for n in names]
    (run_dir / "artifacts" / "manifest.json").write_text(json.dumps(items))


def test_an_artifact_is_downloaded_and_never_shown(client: TestClient, run_dir: Path) -> None:
    (run_dir / "artifacts" / "adapter.zip").write_bytes(b"abc")
    manifest(run_dir, "adapter.zip")
    (item,) = client.get(f"{URL}/artifacts").json()["items"]
    expected = {"name": "adapter.zip", "size_bytes": 3, "sha256": "0" * 64, "media_type": "application/zip"}
    assert item == expected | {"step": None}
    answer = client.get(f"{URL}/artifacts/adapter.zip")
    assert answer.content == b"abc"
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="adapter.zip"'
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    ["other.txt", "manifest.json", "../run.log", "..%2Frun.log", "%2e%2e/run.log", "link.txt", "/etc/passwd", "%00"],
)
def test_only_what_the_manifest_names_is_served(client: TestClient, run_dir: Path, name: str) -> None:
    (run_dir / "run.log").write_text("secret")
    (run_dir / "artifacts" / "other.txt").write_text("secret")
    (run_dir / "artifacts" / "link.txt").symlink_to(run_dir / "run.log")
    manifest(run_dir, "adapter.zip", "../run.log", "link.txt", "gone.txt")
    assert client.get(f"{URL}/artifacts/{name}").status_code == 404
    assert client.get(f"{URL}/artifacts").json()["items"] == []


@pytest.mark.parametrize("part", ["metrics", "logs", "predictions", "artifacts", "artifacts/x", "events"])
def test_an_unknown_run_has_no_parts(client: TestClient, part: str) -> None:
    answer = client.get(f"/api/v1/runs/77/{part}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_attempts_tell_what_each_ended_of_the_last_one_first(client: TestClient, database: Database) -> None:
    run_id = add_run(database)
    with database.writing() as session:
        first = claims.claim(session, "w", lease(60))
        assert first
        claims.update_run(session, first, {"step": 7})
        retries.died(session, first, RunError("killed", "It was killed", "By SIGKILL.", "Retry."))
        second = claims.claim(session, "w", lease(60))
        assert second
        # as after the clock of the machine was set forward and back
        session.get_one(Attempt, (run_id, 2)).started_at = now() + timedelta(days=1)
        session.commit()
    answer = client.get(f"/api/v1/runs/{run_id}/attempts").json()
    assert answer["total"] == 2
    last, died = answer["items"]
    assert (last["number"], last["status"], last["cause"], last["last_step"], last["seconds"]) == (
        2,
        "running",
        None,
        None,
        0,
    )
    assert (died["status"], died["cause"], died["reason"], died["last_step"]) == (
        "queued",
        "killed",
        "It was killed",
        7,
    )
    assert died["finished_at"].endswith("Z")
    assert client.get("/api/v1/runs/99/attempts").status_code == 404
