"""The launch form makes a study: varied fields, seeds, a list of runs, and the reference study in one action."""

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlmodel import select

from app.db import Database, now
from app.main import create_app
from app.models import Run
from app.settings import Settings
from app.status import RunStatus
from app.web import forms
from tests.launchable import write_dataset, write_model
from tests.stored_runs import add_run, config
from tests.web.conftest import FakeWake
from tests.web.pages.conftest import BASE, Browser

LR, R = "training.learning_rate", "lora.r"
REFERENCE = ["Baseline", *(f"Exp {number}" for number in range(1, 7)), "Without 4-bit"]


@pytest.fixture
def browser(settings: Settings, database: Database, tmp_path: Path, wake: FakeWake) -> Iterator[Browser]:
    write_model(tmp_path / "models" / "tiny")
    write_dataset(database, settings)
    app = create_app(Settings(data_dir=settings.data_dir, model_dirs=str(tmp_path / "models")))
    app.state.wake = wake
    with TestClient(app, base_url=BASE) as client:
        yield Browser(client)


def launch(browser: Browser, **changes: str) -> Response:
    start = forms.defaults() | {
        "experiment": "Study",
        "model.base_model": "tiny",
        "data.dataset": "1",
        "linked": "true",
    }
    return browser.send("/runs/new", {**start, **changes}, on="/runs/new")


def stored(database: Database) -> list[Run]:
    with database.reading() as session:
        return list(session.exec(select(Run).order_by("queue_position")))


def text(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def panel(browser: Browser, **query: str) -> str:
    fields = {"model.base_model": "tiny", "data.dataset": "1", "linked": "true"} | query
    answer = browser.client.get("/runs/new/facts", params=fields, headers={"accept": "text/html"})
    assert answer.status_code == 200
    return text(answer.text)


def test_every_setting_can_be_varied(browser: Browser) -> None:
    page = browser.open("/runs/new")
    for name in forms.CONTROLS:
        assert page.count(f'name="axes.{name}"') == 1


def test_varied_fields_become_runs_of_the_experiment(browser: Browser, database: Database, wake: FakeWake) -> None:
    answer = launch(browser, **{f"axes.{LR}": "1e-4, 2e-4, 5e-4", f"axes.{R}": "4, 16", "tags": "wide", "notes": "why"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/experiments/1")
    runs = stored(database)
    assert [run.name for run in runs] == [
        "Baseline",
        "LoRA r 4, LoRA alpha 8",
        "LoRA r 16, LoRA alpha 32",
        "Learning rate 1e-4",
        "Learning rate 5e-4",
    ]
    assert {(tuple(run.tags), run.notes) for run in runs} == {(("wide",), "why")}
    assert wake.ids == [run.id for run in runs]


def test_a_grid_with_seeds_under_one_name(browser: Browser, database: Database) -> None:
    launch(browser, **{f"axes.{LR}": "1e-4..1e-3 x2", "method": "grid", "seeds": "1, 2", "name": "Wide"})
    names = [run.name for run in stored(database)]
    assert names == [f"Wide: Learning rate {rate}, Seed {seed}" for rate in ("1e-4", "1e-3") for seed in (1, 2)]


def test_one_value_that_is_the_forms_own_is_one_run(browser: Browser, database: Database) -> None:
    assert launch(browser, **{f"axes.{R}": "8"}).headers["location"] == "/runs/1"
    assert [run.name for run in stored(database)] == ["Baseline"]


def test_errors_stand_beside_what_was_typed_and_nothing_is_stored(browser: Browser, database: Database) -> None:
    answer = launch(browser, **{f"axes.{LR}": "1e-4, fast", "axes.lora.lora_dropout": "0.1, 1.5", "seeds": "1, x"})
    page = answer.text
    assert answer.status_code == 422
    labels = "LoRA dropout, varied , Learning rate, varied , Seeds"
    assert f"Nothing was launched. 3 fields need a change: {labels}" in text(page)
    for name, sentence in {
        f"axes.{LR}": "This must be a number: fast",
        "axes.lora.lora_dropout": "This must be less than 1: 1.5",
        "seeds": "Write whole numbers: 1, 2, 3",
    }.items():
        assert re.search(rf'id="{re.escape(name)}-err">.*?{re.escape(sentence)}', page, re.DOTALL), name
        assert re.search(rf'<input[^>]*id="{re.escape(name)}"[^>]*aria-invalid="true"', page), name
    assert 'value="1e-4, fast"' in page
    assert re.search(rf'<details class="vary" open data-vary="{LR}">', page)
    assert re.search(r'<details class="vary" data-vary="lora\.r">', page)
    assert re.search(r'<details class="fold" id="group-study" open>', page)
    assert re.search(r'<details class="fold" id="group-adapter-details" open>', page)
    assert stored(database) == []


def test_what_only_the_server_knows_is_said_beside_the_axis(browser: Browser) -> None:
    page = launch(browser, **{"axes.data.max_length": "128, 4096"}).text
    assert re.search(r'id="axes\.data\.max_length-err">.*?at most 512 tokens', page, re.DOTALL)


def test_a_list_of_runs_is_kept_with_the_line_that_is_wrong(browser: Browser, database: Database) -> None:
    lines = "Baseline\nWide | lora.r=0 | too wide"
    page = launch(browser, runs=lines).text
    assert "Line 2, lora.r: This must be at least 1: 0" in text(page)
    assert lines in html.unescape(page)
    launch(browser, runs=lines.replace("=0", "=32"))
    assert [(run.name, run.notes, run.config["lora"]["r"]) for run in stored(database)] == [
        ("Baseline", "", 8),
        ("Wide", "too wide", 32),
    ]


def test_the_reference_study_is_one_action_on_the_forms_base_and_data(browser: Browser, database: Database) -> None:
    page = browser.open("/runs/new?preset=reference&model.base_model=tiny&data.dataset=1")
    assert "Launch 8 runs" in page
    lines = re.search(r'<textarea[^>]*id="runs"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert lines
    answer = launch(browser, runs=html.unescape(lines[1]).replace("\n", "\r\n"))
    assert answer.headers["location"] == "/experiments/1"
    runs = stored(database)
    assert [run.name for run in runs] == REFERENCE
    assert {run.config["model"]["base_model"] for run in runs} == {"tiny"}
    assert [run.config["quantization"]["method"] for run in runs] == ["nf4"] * 7 + ["none"]


def test_the_sample_study_says_that_its_learning_rates_are_larger(browser: Browser) -> None:
    page = browser.open("/runs/new?preset=reference_sample")
    assert "learning rates are ten times larger, because the base is tiny" in page
    assert "training.learning_rate=0.005" in page
    assert re.search(r'id="training\.learning_rate"[^>]*value="0\.002"', page)


def test_the_panel_shows_the_runs_what_each_differs_by_and_what_is_alike(browser: Browser) -> None:
    shown = panel(browser, **{f"axes.{R}": "4", "axes.training.optim": "adam", "axes.training.seed": "7"})
    assert "4 runs" in shown
    assert "LoRA r 4 LoRA alpha 8" in shown
    assert "Baseline and Optimizer adam are identical in effect" in shown
    assert "Time no forecast yet" in shown


def test_another_effective_batch_is_said(browser: Browser) -> None:
    assert "effective batch 8" in panel(browser, **{"axes.training.per_device_train_batch_size": "2"})


def test_time_is_estimated_from_runs_of_the_kind(browser: Browser, database: Database) -> None:
    resources = {"device": "CPU (2 threads)", "seconds_per_1000_examples": 100.0, "train_seconds": 30.0}
    resources |= {"train_rows": 100}
    times = {"started_at": now() - timedelta(seconds=30), "finished_at": now(), "attempt": 1}
    add_run(database, RunStatus.COMPLETED, resources=resources, config=config(model__base_model="tiny"), **times)
    with_all = panel(browser, **{f"axes.{R}": "4", "data.max_train_rows": "100", "training.num_train_epochs": "1"})
    assert "Time about 20 s" in with_all, "2 runs of 100 examples"
    assert "From 1 finished run of the same base model on CPU" in with_all
    partly = panel(browser, **{"axes.model.base_model": "sample/clinic-2m"})
    assert "1 of 2 not counted" in partly


def test_the_panel_says_what_is_wrong_with_an_axis(browser: Browser) -> None:
    assert "LoRA r, varied This must be a whole number: x" in panel(browser, **{f"axes.{R}": "x"})
    assert "Not ready to launch" in browser.open("/runs/new?axes.lora.r=x")


def test_without_a_broker_the_runs_are_kept(browser: Browser, wake: FakeWake, database: Database) -> None:
    wake.up = False
    answer = launch(browser, **{f"axes.{R}": "4, 16"})
    assert answer.headers["location"] == "/experiments/1?queue=unreachable"
    assert len(stored(database)) == 3
    assert len(wake.ids) == 1
    assert "queue unreachable: starts when it is back" in browser.open("/experiments/1?queue=unreachable")


def test_without_scripts_a_preview_shows_what_would_be_made_and_launches_nothing(
    browser: Browser, database: Database
) -> None:
    answer = launch(browser, **{f"axes.{R}": "4, 16", "name": "Kept", "preview": "yes"})
    assert answer.status_code == 200
    assert "Launch 3 runs" in answer.text
    assert 'value="Kept"' in answer.text
    answer = launch(browser, **{LR: "fast", "preview": "yes"})
    assert "Not ready to launch" in answer.text
    assert stored(database) == []


def test_a_clone_can_be_varied(browser: Browser, database: Database) -> None:
    launch(browser, **{R: "32"})
    launch(browser, **{R: "32", "clone": "1", f"axes.{LR}": "1e-3"})
    assert [(run.name, run.config["lora"]["r"]) for run in stored(database)] == [
        ("Run 1", 32),
        ("Baseline", 32),
        ("Learning rate 1e-3", 32),
    ]


def test_runs_keep_what_they_were_cloned_from_and_made_with(browser: Browser, database: Database) -> None:
    launch(browser)
    launch(browser, clone="1", method="grid", linked="false", **{f"axes.{R}": "4, 16"})
    alone, *cloned = stored(database)
    assert (alone.cloned_from, alone.sweep) == (None, None)
    assert [run.cloned_from for run in cloned] == [1, 1]
    assert [run.sweep for run in cloned] == [{"id": 2, "method": "grid", "axes": {R: [4, 16]}}] * 2
    page = text(browser.open("/runs/3"))
    assert "Cloned from Run 1 LoRA r 8 → 16" in page
    assert "One of 2 runs of a grid over LoRA r 4, 16 ." in page
    assert "LoRA r 4 LoRA r 16 → 4" in page, "the other one of them, and in what it differs"
    launch(browser, clone="77")
    assert stored(database)[-1].cloned_from is None, "of a source that is gone meanwhile nothing is kept"
