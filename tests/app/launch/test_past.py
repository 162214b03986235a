"""Finished runs as forecasts see them: the newest, those that went through in one go, with what each took."""

from datetime import timedelta

import pytest

from app.db import Database, now
from app.launch import past as the_past
from app.status import RunStatus
from tests.stored_runs import add_run

ROWS = {"train_rows": 200}


def finish(database: Database, **fields: object) -> int:
    resources = {"device": "CPU (2 threads)", "seconds_per_1000_examples": 100.0, "train_seconds": 30.0} | ROWS
    times = {"started_at": now() - timedelta(seconds=40), "finished_at": now(), "attempt": 1, "resources": resources}
    return add_run(database, RunStatus.COMPLETED, **{**times, **fields})


def test_what_is_neither_training_nor_evaluation_is_the_start(database: Database) -> None:
    measured = {"device": "CPU", "seconds_per_1000_examples": 100.0, "train_seconds": 30.0, "evaluation_seconds": 4.0}
    finish(database, resources=measured | ROWS)
    with database.reading() as session:
        [run] = the_past.finished(session)
    assert run.start_seconds == pytest.approx(6, abs=0.1)
    assert run.seconds_a_row == 0.1
    assert run.baseline_seconds == 0, "an older run does not say"


def test_runs_that_were_tried_again_or_not_measured_tell_nothing(database: Database) -> None:
    finish(database, attempt=2)
    finish(database, resources={"device": "CPU"})
    with database.reading() as session:
        assert the_past.finished(session) == []


def test_settings_of_an_older_version_are_no_configuration(database: Database) -> None:
    finish(database, config={"model": {"base_model": "some/model"}, "gone": {"setting": 1}})
    with database.reading() as session:
        [run] = the_past.finished(session)
    assert run.config is None
    assert run.has_base("some/model", None)
