"""A series of many runs point by point."""

import csv
import io

import pytest
from sqlmodel import Session

from app.compare import points
from app.db import Database
from app.models import Run
from tests.stored_runs import add_completed, add_points


def runs(session: Session, *ids: int) -> list[Run]:
    return [session.get_one(Run, run_id) for run_id in ids]


def test_steps_that_any_run_has_are_rows_and_gaps_stay_empty(database: Database) -> None:
    first, second = add_completed(database, 20), add_completed(database, 21)
    add_points(database, first, "train/loss", {1: 3.0, 2: None})
    add_points(database, second, "train/loss", {2: 2.5, 4: 2.0})
    with database.reading() as session:
        table = points.table(session, runs(session, first, second), "train/loss")
    assert table.steps == [1, 2, 4]
    assert table.values == {1: {first: 3.0}, 2: {first: None, second: 2.5}, 4: {second: 2.0}}
    assert (table.points, table.every) == (4, 1)


def test_many_steps_are_thinned_evenly_up_to_the_last(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "MOST_ROWS", 4)
    run_id = add_completed(database, 20)
    add_points(database, run_id, "train/loss", dict.fromkeys(range(10), 1.0))
    with database.reading() as session:
        table = points.table(session, runs(session, run_id), "train/loss")
    assert table.steps == [0, 3, 6, 9]
    assert (table.points, table.every) == (10, 3)


def test_nobody_recorded_it(database: Database) -> None:
    run_id = add_completed(database, 20)
    with database.reading() as session:
        table = points.table(session, runs(session, run_id), "train/loss")
    assert (table.steps, table.points) == ([], 0)


def test_the_file_has_every_point_in_full_and_runs_no_formula(database: Database) -> None:
    first, second = add_completed(database, 20, name="=1+1"), add_completed(database, 21, name="b, c")
    add_points(database, first, "train/loss", {1: 1 / 3, 2: None})
    add_points(database, second, "train/loss", {5: 2.0})
    with database.reading() as session:
        text = "".join(points.lines(session, runs(session, first, second), "train/loss"))
    head, *rows = csv.reader(io.StringIO(text))
    assert head == ["run", "name", "series", "step", "epoch", "seconds", "value"]
    assert rows == [
        [str(first), "'=1+1", "train/loss", "1", "0.1", "2.0", repr(1 / 3)],
        [str(first), "'=1+1", "train/loss", "2", "0.2", "4.0", ""],
        [str(second), "b, c", "train/loss", "5", "0.5", "10.0", "2.0"],
    ]
