"""The launch form: what it offers, what it makes of what is typed, and what it says when that cannot be."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlmodel import select

from app import run_config
from app.db import Database
from app.main import create_app
from app.models import Experiment, Run
from app.settings import Settings
from app.status import RunStatus
from app.web import forms
from tests.launchable import write_dataset, write_model
from tests.web.conftest import FakeWake
from tests.web.pages.conftest import BASE, Browser


@pytest.fixture
def ready(settings: Settings, database: Database, tmp_path: Path) -> Settings:
    """A data folder with a model and a data set to launch from."""
    write_model(tmp_path / "models" / "tiny")
    write_dataset(database, settings)
    return Settings(data_dir=settings.data_dir, model_dirs=str(tmp_path / "models"))


@pytest.fixture
def browser(ready: Settings, wake: FakeWake) -> Iterator[Browser]:
    app = create_app(ready)
    app.state.wake = wake
    with TestClient(app, base_url=BASE) as client:
        yield Browser(client)


def typed(**changes: str) -> dict[str, object]:
    start = forms.defaults() | {"experiment": "First question", "model.base_model": "tiny", "data.dataset": "1"}
    return {**start, **changes}


def launch(browser: Browser, **changes: str) -> Response:
    return browser.send("/runs/new", typed(**changes), on="/runs/new")


def only_run(database: Database) -> Run:
    with database.reading() as session:
        return session.exec(select(Run)).one()


def value_of(page: str, name: str) -> str:
    found = re.search(rf'<input[^>]* id="{re.escape(name)}"[^>]*? value="([^"]*)"', page)
    assert found, name
    return html.unescape(found[1])


def test_every_setting_is_on_the_form_with_label_name_and_help(browser: Browser) -> None:
    page = browser.open("/runs/new")
    for name, field in run_config.fields():
        assert f'name="{name}"' in page
        assert f"<code>{name}</code>" in page
        assert (field.description or "?") in html.unescape(page)
        assert page.count(f' id="{name}"') == 1


def test_a_launch_makes_the_run_that_was_typed_and_wakes_the_worker(
    browser: Browser, database: Database, wake: FakeWake
) -> None:
    answer = launch(
        browser, **{"training.learning_rate": "1.5e-3", "name": "First", "tags": "a, b", "notes": "Why\r\nnot"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs/1")
    run = only_run(database)
    assert (run.name, run.status, run.tags, run.notes) == ("First", RunStatus.QUEUED, ["a", "b"], "Why\nnot")
    assert run.config["training"]["learning_rate"] == 1.5e-3
    assert run.config["lora"]["target_modules"] == "all-linear"
    assert wake.ids == [1]


def test_an_experiment_of_that_name_gets_the_run(browser: Browser, database: Database) -> None:
    launch(browser)
    launch(browser)
    with database.reading() as session:
        assert session.exec(select(Experiment.name)).all() == ["First question"]


def test_an_unchecked_box_is_off(browser: Browser, database: Database) -> None:
    launch(browser, **{"quantization.double_quant": "false"})
    assert only_run(database).config["quantization"]["double_quant"] is False


def test_a_template_arrives_as_it_was_written(browser: Browser, database: Database) -> None:
    template = "\n<Q> {{ instruction }} & {{ input }}\n\n<A>\n"
    launch(browser, **{"data.prompt_template": template.replace("\n", "\r\n"), "lora.r": "0"})
    page = launch(browser, **{"data.prompt_template": template.replace("\n", "\r\n"), "lora.r": "0"}).text
    shown = re.search(r'<textarea[^>]*id="data\.prompt_template"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert shown
    assert html.unescape(shown[1]).replace("\r\n", "\n") == template
    launch(browser, **{"data.prompt_template": template.replace("\n", "\r\n")})
    assert only_run(database).config["data"]["prompt_template"] == template


def test_errors_stand_beside_their_fields_and_what_was_typed_stays(browser: Browser, database: Database) -> None:
    wrong = {"training.learning_rate": "fast", "lora.lora_dropout": "1.5", "experiment": " ", "name": "Kept <b>"}
    answer = launch(browser, **wrong)
    page = answer.text
    assert answer.status_code == 422
    summary = re.search(r'role="alert".*?</div>', page, re.DOTALL)
    assert summary
    assert "Nothing was launched. 3 fields need a change" in summary[0]
    for name, sentence in {
        "training.learning_rate": "This must be a number",
        "lora.lora_dropout": "This must be less than 1",
        "experiment": "This is needed",
    }.items():
        assert f'href="#{name}"' in summary[0]
        assert re.search(rf'id="{re.escape(name)}-err">.*?{sentence}', page, re.DOTALL)
        assert re.search(rf'<input[^>]*id="{re.escape(name)}"[^>]*aria-invalid="true"', page)
    assert value_of(page, "training.learning_rate") == "fast"
    assert value_of(page, "name") == "Kept <b>"
    assert re.search(r'<details class="fold" id="group-adapter-details" open>', page)
    assert re.search(r'<details class="fold" id="group-data-details"\s*>', page)
    with database.reading() as session:
        assert not session.exec(select(Run)).all()
        assert not session.exec(select(Experiment)).all()


def test_what_only_the_server_knows_is_said_beside_its_field(browser: Browser) -> None:
    page = launch(browser, **{"data.max_length": "4096"}).text
    assert re.search(r'id="data\.max_length-err">.*?at most 512 tokens', page, re.DOTALL)
    page = launch(browser, **{"model.base_model": "nowhere"}).text
    assert re.search(r'id="model\.base_model-err">', page)
    assert value_of(page, "model.base_model") == "nowhere"


def test_an_impossible_combination_is_said_beside_the_field_that_mends_it(browser: Browser) -> None:
    page = launch(browser, **{"training.load_best_model_at_end": "true"}).text
    assert re.search(r'id="data\.validation_fraction-err">.*?need validation rows', page, re.DOTALL)


def test_a_setting_that_is_none_is_refused_by_name(browser: Browser) -> None:
    page = launch(browser, **{"lora.rank": "4"}).text
    assert "There is no such setting" in page
    assert "lora.rank" in page


def test_without_a_broker_the_run_is_kept_and_its_page_says_so(browser: Browser, wake: FakeWake) -> None:
    wake.up = False
    answer = launch(browser)
    assert answer.headers["location"] == "/runs/1?queue=unreachable"
    assert "queue unreachable: starts when it is back" in browser.open("/runs/1?queue=unreachable")


def test_a_clone_starts_from_the_runs_settings_and_shows_what_differs(browser: Browser) -> None:
    launch(browser, **{"lora.r": "32", "name": "Wide", "tags": "a, b"})
    page = browser.open("/runs/new?clone=1&training.seed=7")
    assert value_of(page, "lora.r") == "32"
    assert value_of(page, "training.seed") == "7"
    assert value_of(page, "experiment") == "First question"
    assert value_of(page, "tags") == "a, b"
    assert re.search(r'<th scope="row">Seed</th><td class="num muted">42</td><td class="num"><b>7</b>', page)
    assert "LoRA r</th>" not in page


def test_an_unknown_run_cannot_be_cloned(browser: Browser) -> None:
    browser.open("/runs/new?clone=99", status=404)


def test_a_preset_fills_the_form(browser: Browser) -> None:
    page = browser.open("/runs/new?preset=sample")
    assert value_of(page, "model.base_model") == "sample/clinic-2m"
    assert value_of(page, "data.max_train_rows") == "300"


def test_without_a_data_set_the_form_leads_to_the_import(new_browser: Browser) -> None:
    assert "Import a data set" in new_browser.open("/runs/new")


def test_the_panel_follows_what_is_typed(browser: Browser) -> None:
    query = "model.base_model=tiny&data.dataset=1&training.per_device_train_batch_size=2&lora.r=4"
    panel = browser.open(f"/runs/new/facts?{query}")
    assert "2 × 4 = 8" in panel
    rows = re.search(r"<dt>Rows</dt><dd[^>]*>(\d+) train, (\d+) held out", panel)
    assert rows
    assert int(rows[1]) + int(rows[2]) == 200
    each = -(-int(rows[1]) // 8)
    assert f"3 × {each} = {3 * each}" in panel
    assert f"{4 * (16 + 16 + 16 + 8)}, " in panel  # LoRA r x (inputs + outputs) of both layers


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("training.max_steps=12", "12, whatever the epochs"),
        ("lora.target_modules=c_attn&model.base_model=tiny", "none: no layer has such a name"),
        ("model.base_model=org/name", "known once loaded"),
        ("training.learning_rate=fast", "This must be a number"),
        ("data.dataset=99", '<dt>Rows</dt><dd class="num">–</dd>'),
        ("data.dataset=99999999999999999999999", '<dt>Rows</dt><dd class="num">–</dd>'),
    ],
)
def test_the_panel_says_what_it_can(browser: Browser, query: str, told: str) -> None:
    assert told in browser.open(f"/runs/new/facts?{query}")


def test_a_form_of_another_site_launches_nothing(browser: Browser, database: Database) -> None:
    answer = browser.client.post("/runs/new", data=typed(), headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    answer = browser.client.post("/runs/new", data=typed() | {"_token": "guessed"})
    assert answer.status_code == 403
    with database.reading() as session:
        assert not session.exec(select(Run)).all()
