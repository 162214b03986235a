import math

from sqlmodel import select

from app.db import Database
from app.models import RunValue
from worker.values import Values, finite


def stored(database: Database, values: Values, run_id: int) -> dict[str, tuple[float, float]]:
    with database.writing() as session:
        values.write(session, run_id)
        session.commit()
        return {row.name: (row.last, row.best) for row in session.exec(select(RunValue))}


def test_best_follows_the_direction_of_the_metric(database: Database, launch) -> None:
    values, run_id = Values(), launch()
    for loss, bleu, rate in ((3.0, 0.1, 1e-4), (1.0, 0.5, 3e-4), (2.0, 0.3, 2e-4)):
        values.take({"train/loss": loss, "eval/bleu": bleu, "train/learning_rate": rate, "unheard/of": rate})
    assert stored(database, values, run_id) == {
        "train/loss": (2.0, 1.0),
        "eval/bleu": (0.3, 0.5),
        "train/learning_rate": (2e-4, 2e-4),
        "unheard/of": (2e-4, 2e-4),
    }


def test_numbers_that_are_none_never_become_a_value(database: Database, launch) -> None:
    values, run_id = Values(), launch()
    values.take({"train/loss": math.nan})
    values.take({"train/loss": None, "eval/bleu": math.inf})
    assert stored(database, values, run_id) == {}


def test_a_later_attempt_continues_with_the_best_of_an_earlier_one(database: Database, launch) -> None:
    first, run_id = Values(), launch()
    first.take({"train/loss": 1.0})
    stored(database, first, run_id)
    second = Values()
    with database.reading() as session:
        second.load(session, run_id)
    second.take({"train/loss": 2.0})
    assert stored(database, second, run_id) == {"train/loss": (2.0, 1.0)}


def test_the_final_evaluation_stands_for_the_run_beside_the_best_on_the_way(database: Database, launch) -> None:
    values, run_id = Values(), launch()
    values.take({"eval/perplexity": 5.0})
    values.take_results({"finetuned": {"perplexity": 9.0, "bleu": None, "loss": 2.2, "new": 1.0}})
    assert stored(database, values, run_id) == {"eval/perplexity": (9.0, 5.0), "eval/loss": (2.2, 2.2)}


def test_finite_reaches_every_depth() -> None:
    found = finite({"a": math.nan, "b": [1.0, math.inf, {"c": -math.inf}], "d": "nan", "e": 3})
    assert found == {"a": None, "b": [1.0, None, {"c": None}], "d": "nan", "e": 3}
