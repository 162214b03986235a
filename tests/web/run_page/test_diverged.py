"""A run whose loss became no number: valid JSON everywhere, a gap in its curves, and the adapter that is left."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db import Database
from app.series import Series
from app.settings import Settings
from app.status import RunStatus
from app.web.run_page.curves import loss_chart
from tests.stored_runs import add_points, add_run

ERROR = {"code": "nan_loss", "title": "Training diverged", "detail": "The loss of step 4 was nan.", "hint": "Lower it."}


@pytest.fixture
def run_id(settings: Settings, database: Database) -> int:
    run_id = add_run(database, RunStatus.FAILED, step=3, total_steps=9, error=ERROR)
    add_points(database, run_id, "train/loss", {1: 3.0, 2: 2.5, 3: 9.0, 4: None})
    add_points(database, run_id, "train/grad_norm", {1: 1.0, 2: None, 3: 9.0, 4: None})
    add_points(database, run_id, "eval/loss", {0: 3.0, 3: None})
    folder = settings.run_dir(run_id) / "artifacts"
    folder.mkdir(parents=True)
    (folder / "adapter.zip").write_bytes(b"zip")
    entry = {"name": "adapter.zip", "size_bytes": 3, "sha256": "0" * 64, "media_type": "application/zip", "step": 2}
    (folder / "manifest.json").write_text(json.dumps([entry]))
    return run_id


def strict(text: str) -> Any:
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_every_answer_about_it_is_valid_json(client: TestClient, run_id: int) -> None:
    for path in ("", "/metrics", "/metrics?max_points=10", "/logs", "/predictions", "/artifacts"):
        answer = client.get(f"/api/v1/runs/{run_id}{path}")
        assert answer.status_code == 200
        strict(answer.text)
    for path in ("/runs", "/leaderboard", "/experiments"):
        strict(client.get(f"/api/v1{path}").text)
    series = {s["name"]: s["values"] for s in client.get(f"/api/v1/runs/{run_id}/metrics").json()["series"]}
    assert series["train/loss"] == [3.0, 2.5, 9.0, None]
    assert series["eval/loss"] == [3.0, None]


def test_the_adapter_of_the_last_checkpoint_is_offered_and_says_of_which_step(client: TestClient, run_id: int) -> None:
    (item,) = client.get(f"/api/v1/runs/{run_id}/artifacts").json()["items"]
    assert (item["name"], item["step"]) == ("adapter.zip", 2)
    assert client.get(f"/api/v1/runs/{run_id}/artifacts/adapter.zip").content == b"zip"
    assert "Download adapter of step 2" in client.get(f"/runs/{run_id}").text


def test_no_line_crosses_a_step_without_a_value() -> None:
    steps: list[int] = [1, 2, 3, 4, 5]
    series = Series("train/loss", 5, sampled=False, steps=steps, values=[3.0, 2.0, None, 2.0, 1.0])
    chart = loss_chart(series, None, 5)
    assert chart
    for path in (chart.raw, chart.smooth):
        assert [part.count("L") for part in path.split("M")[1:]] == [1, 1]
