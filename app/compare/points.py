"""A series of many runs point by point: as a table whose rows are steps, and as a file with every point."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from app.compare.names import names
from app.csv_cells import FORMULA
from app.models import Run
from app.series import Series, read_series

# More rows than these are not read but searched: the file has every point.
MOST_ROWS = 200
HEAD = ("run", "name", "series", "step", "epoch", "seconds", "value")


@dataclass(frozen=True)
class PointTable:
    """By step and run id the value; None where it was not finite. `points` is how many there are in all,
    `every` how many steps one row stands for: 1 shows them all."""

    steps: Sequence[int]
    values: Mapping[int, Mapping[int, float | None]]
    points: int
    every: int


def table(session: Session, runs: Sequence[Run], name: str) -> PointTable:
    """The steps that some run has a point of, each n-th where they are many; the last one always."""
    found = {run.id or 0: _series(session, run, name) for run in runs}
    steps = sorted({step for series in found.values() if series for step in series.steps})
    every = -(-len(steps) // MOST_ROWS) or 1
    shown = steps[::every] if not steps or steps[-1] in steps[::every] else [*steps[::every], steps[-1]]
    wanted = set(shown)
    values: dict[int, dict[int, float | None]] = {step: {} for step in shown}
    for run_id, series in found.items():
        for step, value in zip(series.steps, series.values, strict=True) if series else ():
            if step in wanted:
                values[step][run_id] = value
    return PointTable(shown, values, sum(series.points for series in found.values() if series), every)


def lines(session: Session, runs: Sequence[Run], name: str) -> Iterator[str]:
    """Every point as CSV, a run at a time; a value that was not finite is left empty."""
    yield _csv([HEAD])
    called = names(runs)
    for run in runs:
        if series := _series(session, run, name):
            points = zip(series.steps, series.epochs, series.times, series.values, strict=True)
            yield _csv((run.id, _said(called[run.id or 0]), name, *point) for point in points)


def _series(session: Session, run: Run, name: str) -> Series | None:
    """All of it: no number of points is too many for a file."""
    return next(iter(read_series(session, run.id or 0, [name], max_points=2**62)), None)


def _said(name: str) -> str:
    """A name that a spreadsheet would run as a formula is text to it."""
    return f"'{name}" if name.startswith(FORMULA) else name


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
