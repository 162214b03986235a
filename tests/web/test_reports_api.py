"""/experiments/{id}/report: the acceptance table through REST, its files, and every figure computed anew from REST."""

import csv
import io
import json
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db import Database
from app.status import RunStatus
from tests.app.study.reference_study import BASE, TABLE
from tests.stored_runs import add_completed, add_points, add_run, config

Json = dict[str, Any]
SETUP = {"base_model": "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "train_rows": 2500, "gradient_accumulation_steps": 4}


def imported(client: TestClient, text: str = TABLE, setup: Json | None = None) -> int:
    data = {"experiment": "Reference", "base": json.dumps(BASE), "setup": json.dumps(SETUP if setup is None else setup)}
    answer = client.post("/api/v1/imports", data=data, files={"file": ("notes.md", text)})
    assert answer.status_code == 201, answer.text
    number: int = answer.json()["experiment"]["id"]
    return number


def report(client: TestClient, experiment: int = 1, **query: str) -> Json:
    answer = client.get(f"/api/v1/experiments/{experiment}/report", params=query)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def test_the_reference_table_gives_the_reference_statements(client: TestClient) -> None:
    found = report(client, imported(client))
    assert found["best"]["name"] == "Exp 6"
    improvement = {name: round(pair["improvement"] * 100, 1) for name, pair in found["base_vs_finetuned"].items()}
    assert improvement == {"perplexity": -60.6, "bleu": 91.3, "rouge_l": 71.0}
    said = " ".join(f["text"] for f in found["findings"])
    for statement in (
        "Learning rate 1e-4 instead of 2e-4: Perplexity 21.3 instead of 18.7, 13.9 % worse",
        "Learning rate 5e-4 instead of 2e-4: Perplexity 19.5 instead of 18.7, 4.3 % worse",
        "LoRA r 16 instead of 8: Perplexity 18.2 instead of 18.7, 2.7 % better, for +0.6 GB and +5 min",
        "LoRA alpha moved with it, so the two cannot be told apart",
        "Batch size 2 instead of 4: Perplexity 20.1 instead of 18.7, 7.5 % worse, for −0.7 GB and +15 min",
        "The effective batch size changed with it: 8 instead of 16.",
        "Epochs 5 instead of 3: Perplexity 17.8 instead of 18.7, 4.8 % better, for +30 min",
        "5 is the largest tried: the best may lie beyond.",
    ):
        assert statement in said
    assert all("one run per setting: spread unknown" in f["text"] for f in found["findings"])
    best = next(row for row in found["time"] if row["name"] == "Exp 6")
    assert (best["per_epoch"], best["per_1000_rows"], best["per_1000_examples"]) == (900, 1800, 360)


def test_without_the_number_of_rows_time_by_rows_is_null_with_the_reason(client: TestClient) -> None:
    found = report(client, imported(client, setup={}))
    assert all(row["per_1000_rows"] is None for row in found["time"])
    assert any("number of training rows was not stated" in caveat for caveat in found["caveats"])


def test_one_more_run_without_4_bit_shows_the_saving(client: TestClient) -> None:
    lines = [line.rstrip("|\n ") for line in TABLE.strip().splitlines()]
    extra = ["| Quantization | Mean memory |", "|---|---|", *["| nf4 | 3.8 GB |"] * 7]
    table = "\n".join(a + b for a, b in zip(lines, extra, strict=True))
    table += "\n| Full | 2e-4 | 4 | 8 | 16 | 3 | 18.6 | 0.42 | 0.51 | ~45 min | 12.5 GB | no 4-bit | none | 11.2 GB |"
    memory = {row["quantization"]: row for row in report(client, imported(client, table))["memory"]}
    assert round(memory["nf4"]["saving"] * 100, 1) == -66.4
    assert round(memory["nf4"]["mean_saving"] * 100, 1) == -66.1


def test_every_figure_can_be_computed_by_hand_from_the_rest_of_the_api(client: TestClient) -> None:
    experiment = imported(client)
    found = report(client, experiment)
    runs = {r["id"]: r for r in client.get("/api/v1/runs", params={"experiment": experiment}).json()["items"]}
    baseline = runs[client.get(f"/api/v1/experiments/{experiment}").json()["baseline_run"]]

    def metric(run: Json, name: str) -> float:
        value: float = run["results"]["finetuned"][name]
        return value

    def setting(run: Json, name: str) -> Any:
        group, _, field = name.partition(".")
        return run["config"][group][field]

    for row in found["table"]:
        run = runs[row["run_id"]]
        for name in ("perplexity", "bleu", "rouge_l"):
            assert row[name] == metric(run, name)
            expected = None if run is baseline else metric(run, name) - metric(baseline, name)
            assert row["deltas"][name] == expected
        assert row["train_seconds"] == run["resources"]["train_seconds"]
        assert row["peak_memory_bytes"] == run["resources"]["peak_memory_bytes"]
        batch = setting(run, "training.per_device_train_batch_size") * SETUP["gradient_accumulation_steps"]
        assert row["effective_batch_size"] == batch
    best = min(runs.values(), key=lambda run: metric(run, "perplexity"))
    assert (found["best"]["run_id"], found["best"]["value"]) == (best["id"], metric(best, "perplexity"))
    for name, pair in found["base_vs_finetuned"].items():
        assert (
            pair["improvement"]
            == (metric(best, name) - BASE[name]) / BASE[name]
            == best["results"]["improvement"][name]
        )
    for f in found["findings"]:
        before, after = runs[f["baseline_run"]], runs[f["run"]]
        start, end = metric(before, f["metric"]), metric(after, f["metric"])
        assert (f["value_from"], f["value_to"], f["relative_change"]) == (start, end, (end - start) / start)
        assert (f["from"], f["to"]) == (setting(before, f["factor"]), setting(after, f["factor"]))
        for change, resource in (
            ("memory_change_bytes", "peak_memory_bytes"),
            ("time_change_seconds", "train_seconds"),
        ):
            assert f[change] == after["resources"][resource] - before["resources"][resource]
        assert f["better"] is (end < start)
    for row in found["time"]:
        total, epochs = (
            runs[row["run"]]["resources"]["train_seconds"],
            setting(runs[row["run"]], "training.num_train_epochs"),
        )
        assert row["total"] == total
        assert row["per_epoch"] == total / epochs
        assert row["per_1000_rows"] == pytest.approx(total / SETUP["train_rows"] * 1000)
        assert row["per_1000_examples"] == pytest.approx(total / (SETUP["train_rows"] * epochs) * 1000)
    assert [row["peak_bytes"] for row in found["memory"]] == [baseline["resources"]["peak_memory_bytes"]]


def test_best_by_another_metric(client: TestClient) -> None:
    found = report(client, imported(client), best_by="rouge_l")
    assert (found["metric"], found["best"]["value"]) == ("rouge_l", 0.53)
    assert client.get("/api/v1/experiments/1/report", params={"best_by": "colour"}).status_code == 422


def test_an_empty_experiment_has_a_report_without_claims(client: TestClient) -> None:
    client.post("/api/v1/experiments", json={"name": "empty"})
    found = report(client)
    assert found["best"] is None
    assert found["table"] == found["findings"] == found["recommendations"] == found["next"] == []


def test_failed_and_waiting_runs_are_counted_and_in_no_figure(client: TestClient, database: Database) -> None:
    add_completed(database, 20.0)
    add_run(database, RunStatus.FAILED)
    add_run(database, RunStatus.QUEUED)
    found = report(client)
    assert len(found["table"]) == 1
    assert any("without a result yet: 1" in caveat for caveat in found["caveats"])
    assert any("failed or were cancelled, and so are not in any figure: 1" in caveat for caveat in found["caveats"])


def test_a_metric_that_was_not_measured_is_null_and_never_0(client: TestClient, database: Database) -> None:
    add_completed(database, None)
    add_completed(database, 20.0, config=config(lora__r=4))
    found = report(client)
    assert [row["perplexity"] for row in found["table"]] == [None, 20.0]
    assert found["findings"] == []


def test_imported_runs_beside_launched_ones_are_shown_and_not_compared(client: TestClient, database: Database) -> None:
    add_completed(database, 20.0, experiment="Reference")
    add_completed(database, 19.0, experiment="Reference", config=config(training__learning_rate=1e-4))
    imported(client)
    found = report(client)
    assert [row["compared"] for row in found["table"]] == [True] * 2 + [False] * 7
    assert found["best"]["value"] == 19.0
    assert [f["factor"] for f in found["findings"]] == ["training.learning_rate"]
    assert any("7 of 9 configurations were measured on other rows or prompts" in c for c in found["caveats"])


def test_overfitting_is_read_from_the_held_out_losses(client: TestClient, database: Database) -> None:
    one, other = add_completed(database, 20.0), add_completed(database, 21.0, config=config(lora__r=4))
    add_points(database, one, "eval/loss", {0: 4.0, 10: 3.0, 20: 3.4})
    add_points(database, one, "train/loss", {5: 3.5, 15: 1.5})
    add_points(database, other, "eval/loss", {0: 4.0, 10: 3.1, 20: 3.0})
    found = {row["run"]: row for row in report(client)["overfitting"]}
    assert found[one]["overfits"] is True
    assert (found[one]["lowest"], found[one]["last"]) == (3.0, 3.4)
    assert "+13.3 %" in found[one]["text"]
    assert found[other]["overfits"] is False


def test_memory_of_a_process_shows_no_saving(client: TestClient, database: Database) -> None:
    for method in ("nf4", "none"):
        resources = {"memory_kind": "rss", "peak_memory_bytes": 5e8, "train_seconds": 10.0}
        add_completed(database, 20.0, config=config(quantization__method=method), resources=resources)
    found = report(client)
    assert [row["saving"] for row in found["memory"]] == [None, None]
    assert any("cannot show what 4-bit saves" in caveat for caveat in found["caveats"])


@pytest.mark.parametrize("ending", ["json", "md", "csv", "html"])
def test_files_are_attachments(client: TestClient, ending: str) -> None:
    imported(client)
    answer = client.get(f"/api/v1/experiments/1/report.{ending}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="Reference.{ending}"')
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "Exp 6" in answer.text


def test_the_json_file_is_the_report(client: TestClient) -> None:
    imported(client)
    assert client.get("/api/v1/experiments/1/report.json").json() == report(client)


def test_the_csv_has_raw_numbers(client: TestClient) -> None:
    imported(client)
    lines = list(csv.DictReader(io.StringIO(client.get("/api/v1/experiments/1/report.csv").text)))
    last = lines[6]
    assert (last["name"], last["training.learning_rate"], last["lora.r"]) == ("Exp 6", "0.0002", "8")
    assert [float(last[n]) for n in ("perplexity", "bleu", "rouge_l")] == [17.8, 0.44, 0.53]
    assert (float(last["train_seconds"]), float(last["peak_memory_bytes"])) == (4500, 4.2e9)
    assert float(last["perplexity_change"]) == pytest.approx(-0.9)
    assert lines[0]["perplexity_change"] == ""


def test_a_cell_never_runs_as_a_formula(client: TestClient) -> None:
    imported(client, "| run | perplexity | notes |\n|---|---|---|\n| =1+1 | 2 | @sum |")
    line = next(csv.DictReader(io.StringIO(client.get("/api/v1/experiments/1/report.csv").text)))
    assert (line["name"], line["notes"]) == ("'=1+1", "'@sum")


def test_the_html_file_needs_no_other(client: TestClient) -> None:
    imported(client)
    text = client.get("/api/v1/experiments/1/report.html").text
    assert "<style>" in text
    assert not re.search(r"<(script|img|link|iframe)\b", text)
    assert not re.search(r"url\(|@import|\bsrc=", text)
    assert set(re.findall(r'href="(?!#)([^"]*)"', text)) <= set(re.findall(r"http://127\.0\.0\.1:8000/[^\"]*", text))


def test_names_are_text_in_every_file(client: TestClient) -> None:
    imported(client, "| run | perplexity | notes |\n|---|---|---|\n| <b>x</b> | 2 | a \\| b |")
    assert "<b>x</b>" not in client.get("/api/v1/experiments/1/report.html").text
    assert "a \\| b" in client.get("/api/v1/experiments/1/report.md").text


def test_what_is_not_there(client: TestClient) -> None:
    assert client.get("/api/v1/experiments/9/report").status_code == 404
    assert client.get("/api/v1/experiments/9/report.md").status_code == 404
    client.post("/api/v1/experiments", json={"name": "x"})
    assert client.get("/api/v1/experiments/1/report.pdf").status_code in (404, 422)
