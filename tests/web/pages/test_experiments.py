"""The experiments' pages: made, renamed, given another baseline, deleted when empty."""

from app import experiments
from app.db import Database
from tests.web.pages.conftest import Browser


def test_the_list_names_baseline_and_best(browser: Browser) -> None:
    page = browser.open("/experiments")
    assert "TinyLlama medical, reference study" in page
    assert '<a href="/runs/2">Baseline</a>' in page
    assert '<a href="/runs/8">Exp 6</a>' in page


def test_one_is_made_and_shown_before_it_has_runs(browser: Browser) -> None:
    made = browser.send("/experiments", {"name": "Does rank matter?", "description": "4 to 64"})
    assert made.status_code == 303
    page = browser.open(made.headers["location"])
    assert "Does rank matter?" in page
    assert "No runs yet" in page


def test_a_name_that_is_taken_is_said_beside_the_field_with_the_input_kept(browser: Browser) -> None:
    taken = "TinyLlama medical, reference study"
    refused = browser.send("/experiments", {"name": taken, "description": "again"})
    assert refused.status_code == 409
    assert "There is an experiment of that name already" in refused.text
    assert f'value="{taken}"' in refused.text
    assert ">again</textarea>" in refused.text


def test_another_baseline_is_what_the_rows_are_seen_against(browser: Browser) -> None:
    changes = {"name": "Study", "description": "", "baseline_run": "8"}
    assert browser.send("/experiments/1", changes, on="/experiments/1").status_code == 303
    page = browser.open("/experiments/1")
    assert "Perplexity against Exp 6: +0.9" in page
    assert "<h1>Study</h1>" in page


def test_a_baseline_of_another_experiment_is_refused_with_what_was_typed_kept(
    browser: Browser, records: Database
) -> None:
    with records.writing() as session:
        other = experiments.create_experiment(session, "Other")
    refused = browser.send(f"/experiments/{other.id}", {"name": "New name", "baseline_run": "2"})
    assert refused.status_code == 422
    assert "Run 2 is not a run of this experiment" in refused.text
    assert 'value="New name"' in refused.text


def test_only_an_empty_one_is_deleted(browser: Browser, records: Database) -> None:
    with records.writing() as session:
        other = experiments.create_experiment(session, "Other")
    assert browser.send(f"/experiments/{other.id}/delete", {}).headers["location"] == "/experiments"
    assert browser.send("/experiments/1/delete", {}).status_code == 409


def test_one_that_is_not_there_is_not_found(browser: Browser) -> None:
    assert "There is no experiment 99." in browser.open("/experiments/99", status=404)
