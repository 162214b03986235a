"""POST /imports: tables from elsewhere become runs that say what was stated, or a 422 that says what is wrong."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from app.importing.import_request import MAX_BYTES
from tests.app.study.reference_study import BASE, TABLE

SETUP = {"base_model": "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "train_rows": 2500, "gradient_accumulation_steps": 4}


def send(
    client: TestClient, text: str | bytes = TABLE, name: str = "notes.md", query: str = "", **fields: Any
) -> Response:
    data = {"experiment": "Reference"} | {k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}
    return client.post(f"/api/v1/imports{query}", data=data, files={"file": (name, text)})


def test_the_reference_table_becomes_seven_runs(client: TestClient) -> None:
    answer = send(client, base=BASE, setup=SETUP)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert answer.headers["Location"] == f"/api/v1/experiments/{body['experiment']['id']}"
    assert [run["origin"] for run in body["runs"]] == ["imported"] * 7
    run = client.get(f"/api/v1/runs/{body['runs'][6]['id']}").json()
    assert run["results"]["finetuned"] == {"perplexity": 17.8, "bleu": 0.44, "rouge_l": 0.53, "loss": None}
    assert run["results"]["fingerprint"] is None
    assert run["results"]["eval_rows"] is None
    assert run["resources"]["train_seconds"] == 4500
    assert set(run["config"]) == {"model", "training", "lora"}
    assert run["notes"] == "More epochs - best overall"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("runs.csv", "run,lr,perplexity,training time\na,2e-4,18.7,~45 min"),
        ("runs.json", '[{"run": "a", "lr": "2e-4", "perplexity": 18.7, "training time": "~45 min"}]'),
        ("runs.md", "| run | lr | perplexity | training time |\n|---|---|---|---|\n| a | 2e-4 | 18.7 | ~45 min |"),
        ("runs", "run\tlr\tperplexity\ttraining time\na\t2e-4\t18.7\t~45 min"),
    ],
)
def test_the_same_table_in_any_form(client: TestClient, name: str, text: str) -> None:
    run = send(client, text, name).json()["runs"][0]
    assert run["config"] == {"training": {"learning_rate": 2e-4}}
    assert run["results"]["finetuned"]["perplexity"] == 18.7
    assert run["resources"]["train_seconds"] == 2700


def test_a_dry_run_says_how_it_is_understood_and_stores_nothing(client: TestClient) -> None:
    answer = send(client, "who,LR,ppl,colour\na,2e-4,18.7,blue", "runs.csv", "?dry_run=true")
    assert answer.status_code == 200
    body = answer.json()
    assert {c["name"]: c["target"] for c in body["columns"]} == {
        "who": None, "LR": "training.learning_rate", "ppl": "perplexity", "colour": None,
    }  # fmt: skip
    assert body["runs"][0]["settings"] == {"training.learning_rate": 2e-4}
    assert "column 'colour' is not known and was left out" in body["warnings"]
    assert client.get("/api/v1/runs").json()["total"] == 0
    assert client.get("/api/v1/experiments").json()["total"] == 0


def test_columns_may_be_said(client: TestClient) -> None:
    text = "who,score,ppl\na,0.4,18.7"
    run = send(client, text, "a.csv", columns={"who": "name", "score": "bleu", "ppl": None}).json()["runs"][0]
    assert run["name"] == "a"
    assert run["results"]["finetuned"] == {"perplexity": None, "bleu": 0.4, "rouge_l": None, "loss": None}


def test_an_experiment_may_be_named_by_its_id(client: TestClient) -> None:
    made = client.post("/api/v1/experiments", json={"name": "mine"}).json()
    assert send(client, experiment=str(made["id"])).json()["experiment"]["name"] == "mine"


@pytest.mark.parametrize(
    ("text", "name", "fields", "field", "said"),
    [
        ("run,ppl\na,about 18\nb,x", "a.csv", {}, "file", "line 1, perplexity: 'about 18' is not understood"),
        ("run,colour\na,blue", "a.csv", {}, "file", "no column is a result"),
        ("nothing", "a.md", {}, "file", "no table"),
        (b"run,ppl\n\xff,1", "a.csv", {}, "file", "line 2 is not UTF-8"),
        (TABLE, "a.md", {"experiment": " "}, "experiment", "needed"),
        (TABLE, "a.md", {"experiment": "77"}, "experiment", "no experiment 77"),
        (TABLE, "a.md", {"base": {"ppl": 1}}, "base.ppl", "no such metric"),
        (TABLE, "a.md", {"base": "{"}, "base", "not JSON"),
        (TABLE, "a.md", {"setup": "[]"}, "setup", "object"),
        (TABLE, "a.md", {"setup": {"train_rows": -1}}, "setup.train_rows", "above 0"),
        (TABLE, "a.md", {"columns": {"Nobody": "bleu"}}, "columns", "no column 'Nobody'"),
        (TABLE, "a.md", {"columns": "[1]"}, "columns", "object of column names"),
    ],
)
def test_what_cannot_be_read_is_a_422_that_says_where(
    client: TestClient, text: str | bytes, name: str, fields: dict[str, Any], field: str, said: str
) -> None:
    answer = send(client, text, name, **fields)
    assert answer.status_code == 422, answer.text
    errors = answer.json()["errors"]
    assert errors[0]["field"] == field
    assert said in errors[0]["message"]
    assert client.get("/api/v1/runs").json()["total"] == 0


def test_a_file_that_is_missing_or_too_large(client: TestClient) -> None:
    answer = client.post("/api/v1/imports", data={"experiment": "x"}, files={"other": ("a", "b")})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "file"
    assert send(client, "x" * (MAX_BYTES + 1)).status_code == 413
    assert client.post("/api/v1/imports", json={}).status_code == 415


def test_imports_are_ranked_apart_each_for_itself(client: TestClient) -> None:
    send(client, base=BASE, setup=SETUP)
    send(client, "run,ppl\nother,1.0\nsecond,2.0", "other.csv")
    board = client.get("/api/v1/leaderboard").json()
    assert [(group["runs"], group["import_id"]) for group in board["groups"]] == [(2, 2), (7, 1)]
    assert "spread unknown" in board["groups"][1]["shares"]
    assert "not known" in board["groups"][1]["reason"]
    assert board["groups"][1]["bases"][0]["metrics"]["perplexity"] == 45.2
    first = [(row["name"], row["rank"], row["import_id"]) for row in board["items"] if row["rank"] == 1]
    assert first == [("other", 1, 2), ("Exp 6", 1, 1)]
