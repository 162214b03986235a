"""The table as a file: every row, in its order, as raw numbers."""

import csv
from typing import Any

from app.board.csv import ROWS_AT_ONCE, lines
from app.board.run_columns import parse_columns
from app.board.run_filter import parse_filter
from app.db import Database
from app.status import RunStatus
from tests.stored_runs import add_completed, add_run, config


def table(database: Database, text: str = "", **options: Any) -> list[dict[str, str]]:
    with database.reading() as session:
        return list(csv.DictReader(lines(session, parse_filter(text=text), **options)))


def test_rows_stand_as_in_the_table_and_those_without_a_result_last(database: Database) -> None:
    second, first = add_completed(database, 20.0), add_completed(database, 10.5, tags=["a", "b"])
    other = add_completed(database, 1.0, fingerprint="other", perplexity_key="other")
    waiting = add_run(database, RunStatus.QUEUED)
    rows = table(database, columns=parse_columns("name,lora.r,perplexity,tags,created_at"))
    assert [int(row["id"]) for row in rows] == [other, first, second, waiting]
    assert [row["group"] for row in rows] == ["1", "2", "2", ""]
    assert [row["rank"] for row in rows] == ["1", "1", "2", ""]
    assert [row["eval/perplexity"] for row in rows] == ["1.0", "10.5", "20.0", ""]
    assert (rows[1]["tags"], rows[1]["lora.r"], rows[3]["status"]) == ("a b", "8", "queued")
    assert rows[1]["created_at"].endswith("Z")


def test_a_filter_and_an_order_are_those_of_the_table(database: Database) -> None:
    for rank in (4, 8, 16):
        add_completed(database, 20.0, config=config(lora__r=rank))
    rows = table(database, "lora.r > 4", sort="-lora.r")
    assert [row["lora.r"] for row in rows] == ["16", "8"]
    assert [row["rank"] for row in rows] == ["", ""], "a setting ranks nothing"


def test_configurations_have_their_number_of_seeds_and_spread(database: Database) -> None:
    for seed, value in enumerate((10.0, 12.0)):
        add_completed(database, value, config=config(training__seed=seed))
    (row,) = table(database, by_configuration=True)
    assert (row["eval/perplexity"], row["seeds"], row["eval/perplexity sd"][:5]) == ("11.0", "2", "1.414")


def test_every_row_is_in_it_and_no_text_runs_in_a_spreadsheet(database: Database) -> None:
    count = ROWS_AT_ONCE + 1
    for _ in range(count):
        add_run(database, name='=1+1, "x"')
    rows = table(database)
    assert len(rows) == count
    assert rows[0]["name"] == '\'=1+1, "x"'
