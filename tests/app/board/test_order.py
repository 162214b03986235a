"""A page of a group is the same whether it is met along an index or read whole, and so is what is best."""

import itertools
import random

import pytest

from app.board import leaderboard, order
from app.board.run_columns import parse_columns
from app.board.run_filter import parse_filter
from app.db import Database
from app.models import RunValue
from tests.stored_runs import add_completed, config


@pytest.fixture
def runs(database: Database) -> Database:
    """Ties, runs without a value, two tokenizers and a best value that is not the last one."""
    chance = random.Random(0)
    for number in range(40):
        perplexity = chance.choice([None, 10.0, 11.0, 12.0, 13.0])
        run_id = add_completed(
            database,
            perplexity,
            bleu=chance.choice([0.1, 0.2, 0.3]),
            config=config(lora__r=chance.choice([4, 8])),
            perplexity_key=f"tokens {number % 2}",
        )
        with database.writing() as session:
            session.merge(RunValue(run_id=run_id, name="eval/bleu", last=0.1 * (number % 4), best=chance.random()))
            session.commit()
    return database


def pages(database: Database, sort: str, text: str) -> list[tuple[int | None, int | None, frozenset[str]]]:
    rows, cursor = [], None
    with database.reading() as session:
        while True:
            board = leaderboard.build(
                session,
                parse_filter(text=text),
                sort=sort,
                columns=parse_columns("name,eval/bleu:best"),
                limit=7,
                cursor=cursor,
            )
            rows += [(row.run.id, row.rank, row.best) for group in board.groups for row in group.rows]
            cursor = board.next_cursor
            if cursor is None:
                return rows


SORTS = ("eval/perplexity", "-eval/perplexity", "-bleu", "bleu", "-bleu:best", "eval/perplexity:best")


def test_both_ways_agree(runs: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for sort, text in itertools.product(SORTS, ("", "lora.r = 8", "perplexity < 12")):
        monkeypatch.setattr(order, "MANY", 1)
        walked = pages(runs, sort, text)
        monkeypatch.setattr(order, "MANY", 1_000_000)
        assert pages(runs, sort, text) == walked, (sort, text)
        assert len(walked) == len({run_id for run_id, *_ in walked})
        assert any("eval/bleu:best" in best for _, _, best in walked)
