"""The leaderboard by configuration: means over seeds, ranked, counted and cut into pages like runs."""

from itertools import pairwise
from typing import Any

import pytest

from app.board import leaderboard
from app.board.leaderboard import Leaderboard, RankedRow
from app.board.replicates import replicates
from app.db import Database
from app.models import Run
from tests.stored_runs import add_completed, config


def seeds(database: Database, rank: int, values: list[float], **fields: Any) -> list[int]:
    """Runs of one configuration, a seed for each perplexity."""
    return [
        add_completed(database, value, config=config(lora__r=rank, training__seed=seed), **fields)
        for seed, value in enumerate(values)
    ]


def board(database: Database, **options: Any) -> Leaderboard:
    with database.reading() as session:
        return leaderboard.build(session, by_configuration=True, **options)


def rows(found: Leaderboard) -> list[RankedRow]:
    return [row for group in found.groups for row in group.rows]


def test_a_lucky_seed_does_not_win(database: Database) -> None:
    lucky = seeds(database, 4, [15.0, 21.0, 24.0])
    steady = seeds(database, 8, [18.0, 19.0, 20.0])
    first, second = rows(board(database))
    assert [[run.id for run in row.runs] for row in (first, second)] == [steady, lucky]
    assert (first.rank, first.values["eval/perplexity"]) == (1, 19.0)
    assert first.replicates
    assert first.replicates.spread["eval/perplexity"] == 1.0
    assert "eval/perplexity" in first.best
    assert "eval/perplexity" not in second.best


def test_costs_are_means_and_settings_those_of_the_first(database: Database) -> None:
    resources = [{"train_seconds": 10.0, "device": "CPU"}, {"train_seconds": 30.0, "device": "GPU"}]
    for seed, own in enumerate(resources):
        add_completed(database, 20.0, config=config(training__seed=seed), resources=own)
    (row,) = rows(board(database))
    assert (row.values["train_seconds"], row.values["lora.r"]) == (20.0, 8)


def test_one_seed_has_a_mean_and_no_spread(database: Database) -> None:
    seeds(database, 4, [15.0])
    (row,) = rows(board(database))
    assert row.values["eval/perplexity"] == 15.0
    assert row.replicates
    assert row.replicates.spread == {}


def test_a_seed_without_the_metric_does_not_count(database: Database) -> None:
    add_completed(database, None, config=config(training__seed=1))
    add_completed(database, 18.0, config=config(training__seed=2))
    (row,) = rows(board(database))
    assert row.values["eval/perplexity"] == 18.0
    assert len(row.runs) == 2


@pytest.mark.parametrize(
    "fields", [{"experiment": "another"}, {"perplexity_key": "another"}, {"fingerprint": "another"}]
)
def test_what_was_asked_otherwise_or_elsewhere_is_no_replicate(database: Database, fields: dict[str, str]) -> None:
    seeds(database, 8, [18.0, 19.0])
    seeds(database, 8, [20.0], **fields)
    found = board(database, sort="-eval/bleu")
    assert sorted(len(row.runs) for row in rows(found)) == [1, 2]
    assert found.total == 2


@pytest.mark.parametrize("sort", ["eval/perplexity", "-eval/perplexity", "-lora.r", "name", "-train_seconds", "id"])
def test_pages_join_up_to_the_whole(database: Database, sort: str) -> None:
    for rank in (4, 8, 16, 32, 64):
        seeds(database, rank, [20.0 - rank / 10, 21.0])
    whole = board(database, sort=sort)
    assert (whole.total, whole.groups[0].count, whole.next_cursor) == (5, 5, None)
    paged, cursor = [], None
    while True:
        page = board(database, sort=sort, limit=2, cursor=cursor)
        paged += rows(page)
        if (cursor := page.next_cursor) is None:
            break
    assert [row.run.id for row in paged] == [row.run.id for row in rows(whole)]
    if sort == "eval/perplexity":
        assert all(a.values[sort] <= b.values[sort] for a, b in pairwise(paged))
        assert [row.rank for row in paged] == [1, 2, 3, 4, 5]


def test_replicates_of_a_run_are_its_finished_ones(database: Database) -> None:
    same = seeds(database, 8, [18.0, 19.0])
    seeds(database, 4, [18.0])
    with database.reading() as session:
        run = session.get(Run, same[1])
        assert run
        assert [found.id for found in replicates(session, run)] == same
