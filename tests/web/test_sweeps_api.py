"""POST /sweeps: axes or a list of runs, all stored or none, errors named as they were sent."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlmodel import select

from app.db import Database
from app.launch.study_presets import reference_study
from app.models import Dataset, Experiment, Run
from app.run_config import parse
from app.sweep import MAX_RUNS
from tests.web.conftest import FakeWake

URL = "/api/v1/sweeps"
CONFIG: dict[str, Any] = {"model": {"base_model": "some/model"}, "data": {"dataset": 1}}
LR, R, ALPHA = "training.learning_rate", "lora.r", "lora.lora_alpha"
UNREACHABLE = "queue unreachable: starts when it is back"

Sweep = Callable[..., Response]


@pytest.fixture
def sweep(client: TestClient, dataset: Dataset) -> Sweep:
    def post(headers: dict[str, str] | None = None, *, dry_run: bool = False, **body: Any) -> Response:
        query = {"dry_run": "true"} if dry_run else {}
        return client.post(URL, json={"experiment": "study", "config": CONFIG} | body, headers=headers, params=query)

    return post


def fields(answer: Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {error["field"] for error in answer.json()["errors"]}


def stored(database: Database) -> list[Run]:
    with database.reading() as session:
        return list(session.exec(select(Run).order_by("queue_position")))


def test_axes_become_runs_in_their_order_and_the_worker_is_woken_for_each(
    sweep: Sweep, database: Database, wake: FakeWake
) -> None:
    answer = sweep(axes={LR: [1e-4, 5e-4], R: [4, 16]}, method="one_at_a_time", linked=[[R, ALPHA]])
    assert answer.status_code == 201
    made = answer.json()["runs"]
    names = [
        "Baseline",
        "Learning rate 1e-4",
        "Learning rate 5e-4",
        "LoRA r 4, LoRA alpha 8",
        "LoRA r 16, LoRA alpha 32",
    ]
    assert [run["name"] for run in made] == names
    assert [run.name for run in stored(database)] == names
    assert {run["status"] for run in made} == {"queued"}
    assert {run["experiment"]["name"] for run in made} == {"study"}
    assert made[4]["config"]["lora"]["lora_alpha"] == 32
    assert wake.ids == [run["id"] for run in made]


def test_the_reference_study_is_a_list_of_runs(sweep: Sweep, client: TestClient) -> None:
    study = reference_study(parse(CONFIG))
    body = [{"name": name, "notes": notes, "set": changes} for name, notes, changes in study]
    made = sweep(runs=body).json()["runs"]
    assert [run["name"] for run in made] == ["Baseline", *(f"Exp {i}" for i in range(1, 7)), "Without 4-bit"]
    assert [run["notes"] for run in made] == [notes for _, notes, _ in study]
    baseline = client.get(f"/api/v1/experiments/{made[0]['experiment']['id']}").json()["baseline_run"]
    assert baseline == made[0]["id"]


def test_a_range_and_seeds(sweep: Sweep) -> None:
    axis = {"low": 1e-4, "high": 1e-2, "n": 3, "scale": "log"}
    made = sweep(axes={LR: axis}, seeds=[1, 2]).json()["runs"]
    assert [(r["config"]["training"]["learning_rate"], r["config"]["training"]["seed"]) for r in made] == [
        (rate, seed) for rate in (1e-4, 1e-3, 1e-2) for seed in (1, 2)
    ]


def test_a_dry_run_tells_what_would_be_launched_and_stores_nothing(
    sweep: Sweep, database: Database, wake: FakeWake
) -> None:
    answer = sweep(dry_run=True, axes={"training.optim": ["adam"], R: [4]}, method="one_at_a_time")
    assert answer.status_code == 200
    told = answer.json()
    assert [(run["name"], run["changes"], run["effective_batch_size"]) for run in told["runs"]] == [
        ("Baseline", {}, 16),
        ("Optimizer adam", {"training.optim": "adam"}, 16),
        ("LoRA r 4", {R: 4}, 16),
    ]
    assert told["estimated_seconds"] is None, "nothing has finished here yet"
    (note,) = told["notes"]
    assert note.startswith("Baseline and Optimizer adam are identical in effect")
    assert stored(database) == []
    assert wake.ids == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"axes": {R: [4, 0]}}, {"axes.lora.r"}),
        ({"axes": {R: ["4"]}}, {"axes.lora.r"}),
        ({"axes": {R: 4}}, {"axes"}),
        ({"axes": {R: {"low": 8, "high": 4}}}, {"axes.lora.r"}),
        ({"axes": {"lora.rank": [4]}}, {"axes.lora.rank"}),
        ({"axes": {"data.dataset": [1, 99]}}, {"axes.data.dataset"}),
        ({"axes": {"data.eval_fraction": [0.2, 0.0001]}}, {"axes.data.eval_fraction"}),
        ({"axes": {"model.base_model": ["/etc", "some/model"]}}, {"axes.model.base_model"}),
        ({"config": CONFIG | {"data": {"dataset": 99}}, "axes": {R: [4, 8]}}, {"data.dataset"}),
        ({"config": CONFIG | {"lora": {"r": 0}}, "axes": {R: [4, 8]}}, {"lora.r"}),
        ({"axes": {R: [4]}, "linked": [[R, "lora.bias"]]}, {"linked"}),
        ({"axes": {R: [4]}, "linked": [R]}, {"linked"}),
        ({"axes": {R: [4]}, "seeds": [1, 1]}, {"seeds"}),
        ({"axes": {R: [4]}, "seeds": [-1]}, {"seeds"}),
        ({"axes": {R: [4]}, "seeds": ["1"]}, {"seeds"}),
        ({"axes": {R: [4]}, "method": "all"}, {"method"}),
        ({"axes": {R: [4]}, "method": "random"}, {"max_runs"}),
        ({"axes": {R: [4, 8, 16]}, "max_runs": 2}, {"max_runs"}),
        ({"axes": {R: list(range(1, MAX_RUNS + 2))}}, {"max_runs"}),
        ({"runs": []}, {"runs"}),
        ({"runs": [{"name": "a", "set": {R: 0}}]}, {"runs.0.set.lora.r"}),
        ({"runs": [{"name": "a"}, {"name": "b", "set": {"lora.rank": 1}}]}, {"runs.1.set.lora.rank"}),
        ({"runs": [{"name": "a", "set": {"data.dataset": 99}}]}, {"runs.0.set.data.dataset"}),
        ({"runs": [{"set": {R: 4}}]}, {"runs.0.name"}),
        ({"runs": [{"name": " "}]}, {"runs.0.name"}),
        ({"runs": [{"name": "a", "sets": {}}]}, {"runs.0.sets"}),
        ({"runs": [{"name": "a"}], "axes": {R: [4]}}, {"runs"}),
        ({"experiment": 99, "axes": {R: [4]}}, {"experiment"}),
        ({"axis": {R: [4]}}, {"axis"}),
    ],
    ids=str,
)
def test_what_cannot_be_is_named_as_it_was_sent_and_nothing_is_stored(
    sweep: Sweep, database: Database, wake: FakeWake, body: dict[str, Any], named: set[str]
) -> None:
    answer = sweep(**body)
    assert fields(answer) == named
    assert stored(database) == []
    assert wake.ids == []
    with database.reading() as session:
        assert session.exec(select(Experiment)).all() == []


def test_a_dry_run_finds_what_a_launch_would(sweep: Sweep) -> None:
    assert fields(sweep(dry_run=True, axes={"data.dataset": [99]})) == {"axes.data.dataset"}


def test_a_repeated_request_makes_its_runs_once(sweep: Sweep, database: Database) -> None:
    key = {"Idempotency-Key": "again"}
    first = sweep(key, axes={R: [4, 8]})
    assert sweep(key, axes={R: [4, 8]}).json() == first.json()
    assert len(stored(database)) == 2
    assert sweep(key, axes={R: [4, 16]}).status_code == 409


def test_a_broker_that_is_away_is_a_warning_of_each_run_and_is_asked_once(sweep: Sweep, wake: FakeWake) -> None:
    wake.up = False
    made = sweep(axes={R: [4, 8, 16]}).json()["runs"]
    assert [run["warnings"][-1] for run in made] == [UNREACHABLE] * 3
    assert len(wake.ids) == 1
