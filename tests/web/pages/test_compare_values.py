"""/compare/values: what stands behind a chart of curves; and the tables behind the charts of /compare."""

import json
import re

import pytest
from fastapi.testclient import TestClient

from app.db import Database
from tests.stored_runs import add_completed, add_points, config


@pytest.fixture
def runs(database: Database) -> list[int]:
    fields = {"resources": {"train_seconds": 1200.0, "peak_memory_bytes": 4_000_000_000, "memory_kind": "cuda"}}
    slow = {"resources": {"train_seconds": 2400.0, "peak_memory_bytes": 4_000_000_000, "memory_kind": "cuda"}}
    first = add_completed(database, 20, name="Small", **fields)
    second = add_completed(database, 18, name="Large <b>", config=config(lora__r=16, lora__lora_alpha=32), **slow)
    for run_id, loss in ((first, 3.0), (second, 2.0)):
        add_points(database, run_id, "train/loss", {1: loss, 2: loss - 0.5})
        add_points(database, run_id, "eval/perplexity", {2: 20.0})
        add_points(database, run_id, "system/memory", {1: 4.2e9})
    return [first, second]


def query(runs: list[int], name: str) -> str:
    return f"runs={','.join(map(str, runs))}&name={name}"


def data(client: TestClient, runs: list[int]) -> dict[str, list[dict[str, object]]]:
    page = client.get(f"/compare?runs={','.join(map(str, runs))}").text
    match = re.search(r'<script type="application/json" id="chart-data">(.*?)</script>', page, re.DOTALL)
    assert match
    found: dict[str, list[dict[str, object]]] = json.loads(match[1])
    return found


def test_steps_are_rows_and_runs_are_columns(client: TestClient, runs: list[int]) -> None:
    page = client.get(f"/compare/values?{query(runs, 'train/loss')}").text
    assert "Training loss, step by step" in page
    assert "Large &lt;b&gt;" in page
    assert re.search(r'<th class="num" scope="row">2</th><td class="num">2.500</td><td class="num">1.500</td>', page)


def test_memory_is_in_gigabytes(client: TestClient, runs: list[int]) -> None:
    assert '<td class="num">4.200</td>' in client.get(f"/compare/values?{query(runs, 'system/memory')}").text


def test_what_nobody_recorded_says_so(client: TestClient, runs: list[int]) -> None:
    assert "None of these runs has recorded it" in client.get(f"/compare/values?{query(runs, 'eval/bleu')}").text


def test_a_series_that_there_is_not_is_refused_in_words(client: TestClient, runs: list[int]) -> None:
    for address in ("/compare/values", "/compare/values.csv"):
        response = client.get(f"{address}?{query(runs, 'train/los')}")
        assert response.status_code == 422
        assert "There is no series train/los" in response.text


def test_the_file_is_an_attachment_with_every_point(client: TestClient, runs: list[int]) -> None:
    response = client.get(f"/compare/values.csv?{query(runs, 'train/loss')}")
    assert response.headers["content-disposition"] == 'attachment; filename="train-loss.csv"'
    assert len(response.text.splitlines()) == 1 + 4


def test_the_page_has_what_the_charts_draw(client: TestClient, runs: list[int]) -> None:
    found = data(client, runs)
    assert [(run["id"], run["slot"], run["is_baseline"]) for run in found["runs"]] == [
        (runs[0], "b", True),
        (runs[1], "1", False),
    ]
    assert [curve["name"] for curve in found["curves"]] == ["train/loss", "eval/perplexity", "system/memory"]
    columns = {str(column["name"]): column for column in found["columns"]}
    assert list(columns) == ["lora.r", "lora.lora_alpha", "train_seconds", "eval/perplexity"]
    assert columns["lora.r"]["values"] == [8, 16]
    assert (columns["train_seconds"]["unit"], columns["train_seconds"]["texts"]) == ("min", ["20", "40"])
    assert found["pair"] == ["train_seconds", "eval/perplexity"]
    assert found["factors"] == [
        {"name": "lora.r", "rows": [[{"text": "8", "runs": [runs[0]]}, {"text": "16", "runs": [runs[1]]}]]}
    ]


def test_a_run_that_was_asked_something_else_is_on_no_axis_of_results(
    client: TestClient, database: Database, runs: list[int]
) -> None:
    keys = {"fingerprint": "other", "perplexity_key": "other", "baseline_key": "other"}
    apart = add_completed(database, 5, name="Apart", config=config(lora__r=4), **keys)
    add_points(database, apart, "train/loss", {1: 1.0})
    add_points(database, apart, "eval/perplexity", {1: 5.0})
    found = data(client, [*runs, apart])
    columns = {column["name"]: column for column in found["columns"]}
    curves = {curve["name"]: curve for curve in found["curves"]}
    assert columns["eval/perplexity"]["values"] == [20, 18, None]
    assert curves["train/loss"]["runs"] == [*runs, apart]
    assert curves["eval/perplexity"]["runs"] == runs
    page = client.get(f"/compare?runs={','.join(map(str, [*runs, apart]))}").text
    assert "Left out: Apart, asked something else than the baseline." in page


def test_without_a_script_every_chart_has_its_table(client: TestClient, runs: list[int]) -> None:
    page = client.get(f"/compare?runs={','.join(map(str, runs))}").text
    for name in ("train/loss", "eval/perplexity", "system/memory"):
        assert f"name={name}" in page
    assert page.count("on the front</span>") == 2
    assert re.search(r"LoRA r <u>with LoRA alpha</u></th><td>8 → 16</td>", page)
    assert "−10.0 %" in page
