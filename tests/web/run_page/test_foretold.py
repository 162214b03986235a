"""What was forecast stands beside what came, with how far it was off; else nothing is said."""

from datetime import timedelta

from app.db import now
from app.models import Run
from app.web.run_page import foretold


def run(**fields: object) -> Run:
    ended = now()
    times = {"started_at": ended - timedelta(seconds=100), "finished_at": ended, "attempt": 1}
    resources = {"peak_memory_bytes": 800_000_000}
    return Run(experiment_id=1, name="r", config={}, **{"resources": resources, **times, **fields})


def texts(found: Run) -> list[tuple[str, str]]:
    return [(name, value.striptags()) for name, value in foretold.costs(found)]


def test_forecasts_stand_beside_what_came() -> None:
    said = {"memory": {"bytes": 880_000_000}, "time": {"seconds": 60.0}}
    assert texts(run(forecast=said)) == [
        ("Peak memory as forecast", "0.88 GB off by +10 %"),
        ("Start to end as forecast", "60 s off by −40 %"),
    ]


def test_nothing_is_said_of_what_was_not_forecast_or_not_measured() -> None:
    assert texts(run(forecast=None)) == []
    assert texts(run(forecast={"memory": {"bytes": 1}, "time": None}, resources=None)) == []
    assert texts(run(forecast={"memory": None, "time": {"seconds": 60.0}}, attempt=2)) == [], "of several attempts"
