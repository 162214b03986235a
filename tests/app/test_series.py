"""Series for charts: whole when short, thinned without losing a peak or a dip when long."""

import math

import pytest

from app.db import Database
from app.series import Series, read_series
from tests.stored_runs import add_points, add_run


def read(database: Database, run_id: int, max_points: int = 1000, names: tuple[str, ...] = ()) -> list[Series]:
    with database.reading() as session:
        return read_series(session, run_id, names, max_points)


def test_a_short_series_comes_whole(database: Database) -> None:
    run_id, other = add_run(database), add_run(database)
    add_points(database, run_id, "train/loss", {1: 3.0, 5: None, 9: 1.0})
    add_points(database, other, "train/loss", {2: 7.0})
    (series,) = read(database, run_id)
    assert (series.name, series.points, series.sampled) == ("train/loss", 3, False)
    assert series.steps == [1, 5, 9]
    assert series.values == [3.0, None, 1.0]
    assert series.times == [2.0, 10.0, 18.0]
    assert series.epochs == [0.1, 0.5, 0.9]


def test_only_the_named_series_come(database: Database) -> None:
    run_id = add_run(database)
    for name in ("train/loss", "eval/loss", "system/memory"):
        add_points(database, run_id, name, {1: 1.0})
    assert [series.name for series in read(database, run_id, names=("eval/loss", "nothing"))] == ["eval/loss"]
    assert len(read(database, run_id)) == 3


@pytest.mark.parametrize("max_points", [10, 11, 50, 999])
@pytest.mark.parametrize("steps", [range(1, 5001), range(100, 40_000, 10), [*range(1, 2000), 10**9]])
def test_a_long_series_keeps_its_ends_peaks_and_dips(database: Database, max_points: int, steps: range) -> None:
    values = {step: 10 + math.sin(step) + step / 1e4 for step in steps}
    peak, dip, spike = list(steps)[len(steps) // 3], list(steps)[len(steps) // 2], list(steps)[len(steps) // 2 + 1]
    values |= {peak: 1e6, dip: -1e6, spike: 999.0}
    run_id = add_run(database)
    add_points(database, run_id, "train/loss", dict(values))
    (series,) = read(database, run_id, max_points)
    assert (series.points, series.sampled) == (len(steps), True)
    assert len(series.steps) <= max_points
    assert series.steps == sorted(set(series.steps))
    assert (series.steps[0], series.steps[-1]) == (min(steps), max(steps))
    assert (max(values.values()), min(values.values())) == (
        max(map(float, series.values)),
        min(map(float, series.values)),
    )  # type: ignore[arg-type]
    assert all(values[step] == value for step, value in zip(series.steps, series.values, strict=True))
    assert all(time == step * 2 for step, time in zip(series.steps, series.times, strict=True))


def test_a_stretch_without_values_stays_a_gap(database: Database) -> None:
    run_id = add_run(database)
    points: dict[int, float | None] = {step: None if 1000 <= step < 2000 else 1.0 for step in range(3000)}
    add_points(database, run_id, "train/loss", points)
    (series,) = read(database, run_id, 100)
    assert None in series.values
    assert all(
        (value is None) == (1000 <= step < 2000) for step, value in zip(series.steps, series.values, strict=True)
    )
