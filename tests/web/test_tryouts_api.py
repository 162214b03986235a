"""/tryouts: who can be asked together, in which order they answer, and what is wrong with a question, in words."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import leases
from app.db import Database
from app.models import Worker
from app.settings import Settings
from tests.launchable import write_dataset
from tests.stored_runs import add_completed, config

URL = "/api/v1/tryouts"


@pytest.fixture
def worker(database: Database) -> None:
    beat = leases.lease(60)
    with database.writing() as session:
        session.add(
            Worker(name="w", hostname="h", pid=1, version="0", device="CPU", boot=beat.boot, beat_until=beat.until)
        )
        session.commit()


@pytest.fixture
def add(database: Database, settings: Settings) -> Any:
    def stored(adapter: bool = True, **fields: Any) -> int:
        run_id = add_completed(database, 20.0, **fields)
        folder: Path = settings.run_dir(run_id) / "artifacts"
        folder.mkdir(parents=True)
        if adapter:
            (folder / "adapter.zip").write_bytes(b"zip")
        return run_id

    return stored


def ask(client: TestClient, runs: list[int], **wanted: Any) -> Any:
    return client.post(URL, json={"runs": runs, "prompt": "Who?", **wanted})


def wrong(answer: Any) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


def test_each_base_answers_before_the_runs_that_have_it_so(client: TestClient, worker: None, add: Any) -> None:
    """Which is why runs that quantise it alike stand together, and a template of their own makes a base of its own."""
    first, whole, third = add(), add(config=config(quantization__method="none")), add(config=config(lora__r=2))
    other = add(config=config(data__prompt_template="Q: {{ instruction }}"))
    answer = ask(client, [first, whole, third, other], settings={"temperature": 0.5})
    assert answer.status_code == 202
    errand = answer.json()
    assert answer.headers["location"] == f"/api/v1/errands/{errand['id']}"
    assert (errand["kind"], errand["status"], errand["answer"]) == ("tryout", "queued", None)
    said = [(side["run"], side["adapter"]) for side in errand["request"]["sides"]]
    assert said == [
        (first, False),
        (first, True),
        (third, True),
        (whole, False),
        (whole, True),
        (other, False),
        (other, True),
    ]
    assert errand["request"]["settings"] == {"max_new_tokens": 128, "temperature": 0.5, "top_p": 1.0, "seed": 42}


def test_runs_that_cannot_be_asked_together_are_named(client: TestClient, worker: None, add: Any) -> None:
    run, other = add(), add(config=config(model__base_model="other/model"))
    bare, at_commit = add(adapter=False), add(environment={"model_commit": "abc"})
    assert f"run {other} of other/model" in wrong(ask(client, [run, other]))["runs"]
    assert "choose runs of one" in wrong(ask(client, [run, at_commit]))["runs"]
    assert "has no adapter" in wrong(ask(client, [run, bare]))["runs"]
    assert "no run 99" in wrong(ask(client, [99]))["runs"]
    assert "runs" in wrong(ask(client, []))
    assert "runs" in wrong(ask(client, list(range(1, 10))))


def test_what_is_wrong_with_a_question_is_said_by_its_field(client: TestClient, worker: None, add: Any) -> None:
    run = add()
    assert "prompt" in wrong(ask(client, [run], prompt=" \n"))
    assert "no row 5" in wrong(ask(client, [run], row=5))["row"]
    assert "settings.temperature" in wrong(ask(client, [run], settings={"temperature": -1}))
    assert "settings.top_k" in wrong(ask(client, [run], settings={"top_k": 1}))


def test_a_row_of_the_data_set_is_asked_with_its_reference(
    client: TestClient, worker: None, add: Any, database: Database, settings: Settings
) -> None:
    write_dataset(database, settings, rows=5)
    request = ask(client, [add(dataset_id=1)], prompt="", row=3).json()["request"]
    assert request["row"] == {"instruction": "Ask 3", "input": "", "response": "Tell 3"}
    assert request["number"] == 3


def test_without_a_worker_nobody_waits(client: TestClient, add: Any) -> None:
    answer = ask(client, [add()])
    assert answer.status_code == 503
    assert "No worker is running" in answer.json()["detail"]
    page = client.post("/tryout", data=form(client, runs=1, prompt="Who?"))
    assert page.status_code == 503
    assert "No worker is running" in page.text
    assert ">\nWho?</textarea>" in page.text


def form(client: TestClient, **fields: Any) -> dict[str, Any]:
    token = client.get("/tryout").text.split('name="_token" value="')[1].split('"')[0]
    return {"_token": token, **fields}


def test_the_form_keeps_what_was_typed_beside_what_is_wrong(client: TestClient, worker: None, add: Any) -> None:
    run = add()
    typed = {"runs": run, "prompt": "Who <b>?", "settings.temperature": "hot", "settings.top_p": "0.5"}
    page = client.post("/tryout", data=form(client, **typed))
    assert page.status_code == 422
    assert "This must be a number" in page.text
    assert 'value="hot"' in page.text
    assert 'value="0.5"' in page.text
    assert "Who &lt;b&gt;?</textarea>" in page.text
    assert f'value="{run}" checked' in page.text


def test_a_sent_form_leads_to_its_answers(client: TestClient, worker: None, add: Any) -> None:
    sent = client.post("/tryout", data=form(client, runs=add(), prompt="Who?"), follow_redirects=False)
    assert (sent.status_code, sent.headers["location"]) == (303, "/tryout/1")
    page = client.get("/tryout/1").text
    assert "Its turn comes." in page
    assert "greedy" in page
    client.post("/tryout/1/cancel", data=form(client))
    assert "Cancelled" in client.get("/tryout/1/answers").text
    assert client.get("/tryout/2").status_code == 404


def test_an_address_with_runs_that_cannot_be_asked_says_so(client: TestClient, add: Any) -> None:
    page = client.get(f"/tryout?runs={add()},99&prompt=Who%3F")
    assert page.status_code == 200
    assert "There is no run 99." in page.text


def test_without_anything_to_ask_the_page_says_what_to_do(client: TestClient) -> None:
    assert "No run has an adapter to try out yet." in client.get("/tryout").text
