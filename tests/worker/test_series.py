"""Points on their way into the table, and those that earlier attempts wrote down, whatever became of the file."""

import json
import math
from pathlib import Path

from app.db import Database
from app.series import read_series
from tests.stored_runs import add_run
from worker.protocol import Points
from worker.series import POINTS_FILE, Series, recorded


def line(step: int, **changes: object) -> str:
    return json.dumps({"name": "train/loss", "step": step, "epoch": 0.5, "time": 1.0, "value": 2.0} | changes) + "\n"


def test_lines_that_were_cut_or_damaged_are_left_out_and_the_others_taken(tmp_path: Path) -> None:
    damaged = ["\x00" * 40 + "\n", '{"name": "train/lo' + line(3), line(4, time="four"), "[]\n", line(6)[:-1]]
    (tmp_path / POINTS_FILE).write_text("".join([line(1), *damaged[:2], line(2, value=None), *damaged[2:]]))
    with (tmp_path / POINTS_FILE).open("ab") as file:
        file.write(b"\xff\xfe\n")
    assert [(points.step, points.values) for points in recorded(tmp_path)] == [
        (1, {"train/loss": 2.0}),
        (2, {"train/loss": None}),
    ]
    assert isinstance(next(recorded(tmp_path)), Points)


def test_no_file_is_no_points(tmp_path: Path) -> None:
    assert list(recorded(tmp_path)) == []


def test_a_point_replaces_that_of_its_step_and_what_is_not_finite_is_null(database: Database) -> None:
    run_id, series = add_run(database), Series()
    for step, loss in ((1, 3.0), (2, math.inf), (2, math.nan), (1, 2.5)):
        series.take(Points(step=step, epoch=step / 10, time=step * 2.0, values={"train/loss": loss, "own/name": loss}))
    with database.writing() as session:
        series.write(session, run_id)
        session.commit()
    series.written()
    with database.reading() as session:
        found = read_series(session, run_id)
    assert [(s.name, s.steps, s.values) for s in found] == [
        ("own/name", [1, 2], [2.5, None]),
        ("train/loss", [1, 2], [2.5, None]),
    ]
    assert (found[0].times, found[0].epochs) == ([2.0, 4.0], [0.1, 0.2])


def test_what_was_rolled_back_is_written_again_under_names_that_are_there(database: Database) -> None:
    run_id, series = add_run(database), Series()
    series.take(Points(step=1, epoch=0.1, time=2.0, values={"new/name": 1.0}))
    with database.writing() as session:
        series.write(session, run_id)
        session.rollback()
    with database.writing() as session:
        series.write(session, run_id)
        session.commit()
    series.written()
    with database.reading() as session:
        assert [s.name for s in read_series(session, run_id)] == ["new/name"]
