"""Rows beside a run that was pinned."""

from typing import Any

import pytest

from app.board.deltas import with_deltas
from app.board.leaderboard import Delta, build
from app.board.run_columns import parse_columns
from app.db import Database
from app.errors import Invalid
from app.models import RunValue
from app.settings import Settings
from tests.app.statistics.test_differences import losses, write
from tests.stored_runs import add_completed, config

COLUMNS = parse_columns("name,lora.r,perplexity,bleu,bleu:best,train_seconds,device")


def deltas(settings: Settings, database: Database, pinned: int, **options: Any) -> dict[int, dict[str, Delta]]:
    with database.reading() as session:
        board = build(session, columns=COLUMNS, **options)
        found = with_deltas(session, settings, board, pinned)
    return {row.run.id or 0: dict(row.deltas) for group in found.groups for row in group.rows}


def test_every_number_is_seen_against_the_pinned_run(settings: Settings, database: Database) -> None:
    pinned = add_completed(database, 20.0, bleu=0.4, resources={"train_seconds": 100.0, "device": "CPU"})
    other = add_completed(database, 15.0, bleu=0.5, resources={"train_seconds": 150.0, "device": "CPU"})
    with database.writing() as session:
        session.merge(RunValue(run_id=other, name="eval/bleu", last=0.5, best=0.6))
        session.commit()
    found = deltas(settings, database, pinned)
    assert found[pinned] == {}
    assert set(found[other]) == {"eval/perplexity", "eval/bleu", "eval/bleu:best", "train_seconds"}
    assert found[other]["eval/perplexity"] == Delta(-5.0, -0.25)
    assert found[other]["train_seconds"] == Delta(50.0, 0.5)
    assert found[other]["eval/bleu:best"].absolute == pytest.approx(0.2)


def test_a_difference_has_the_interval_of_the_answers_that_both_left(settings: Settings, database: Database) -> None:
    pinned, other = add_completed(database, 20.0), add_completed(database, 15.0)
    write(settings, pinned, losses(1, 2.0))
    write(settings, other, losses(2, 1.0))
    found = deltas(settings, database, pinned)[other]
    assert found["eval/perplexity"].interval
    assert found["eval/perplexity"].interval[1] < 0
    assert found["eval/bleu:best"].interval is None, "the answers are those of the end"


def test_what_was_asked_something_else_has_costs_to_compare_and_no_results(
    settings: Settings, database: Database
) -> None:
    pinned = add_completed(database, 20.0)
    other = add_completed(database, 15.0, fingerprint="other", perplexity_key="other")
    assert set(deltas(settings, database, pinned)[other]) == {"train_seconds"}


def test_a_configuration_is_seen_against_the_mean_of_the_pinned_ones_seeds(
    settings: Settings, database: Database
) -> None:
    pinned, other_seed = (
        add_completed(database, value, config=config(training__seed=seed)) for seed, value in enumerate((20.0, 24.0))
    )
    other = add_completed(database, 11.0, config=config(lora__r=4))
    found = deltas(settings, database, other_seed, by_configuration=True)
    assert found[pinned] == {}
    assert found[other]["eval/perplexity"] == Delta(-11.0, -0.5)


def test_a_run_that_is_not_there_cannot_be_pinned(settings: Settings, database: Database) -> None:
    with pytest.raises(Invalid, match="There is no run 7"):
        deltas(settings, database, 7)
