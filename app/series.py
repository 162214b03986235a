"""Metric series for charts. Long ones are thinned in SQL so that no peak and no dip is lost."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from app.db import MAX_ID
from app.models import MetricName, MetricPoint

DEFAULT_POINTS = 1000
MOST_POINTS = 10_000

# Of each bucket of steps the rows with its smallest and its largest value, and the ends of the whole series.
# SQLite takes the other columns from the row where min() or max() was found. NULL is a value that was not finite.
THINNED = """
WITH series AS (SELECT step, value, time, epoch FROM metricpoint
                WHERE run_id = :run AND name_id = :name AND step > :after AND step < :before),
low AS (SELECT step, min(value) AS value, time, epoch FROM series GROUP BY step / :width),
high AS (SELECT step, max(value) AS value, time, epoch FROM series GROUP BY step / :width)
SELECT step, value, time, epoch FROM low UNION SELECT step, value, time, epoch FROM high
UNION SELECT step, value, time, epoch FROM series
      WHERE step IN ((SELECT min(step) FROM series), (SELECT max(step) FROM series))
ORDER BY step
"""
OF_SERIES = "FROM metricpoint WHERE run_id = :run AND name_id = :name AND step > :after AND step < :before"
WHOLE = f"SELECT step, value, time, epoch {OF_SERIES} ORDER BY step"
TEXT = """
SELECT '[' || group_concat(step) || ']',
       '[' || group_concat(CASE WHEN value IS NULL THEN 'null' ELSE printf('%.6g', value) END) || ']',
       '[' || group_concat(printf('%.2f', time)) || ']', '[' || group_concat(printf('%.6g', epoch)) || ']' FROM ({})
"""
EXTENT = f"SELECT count(*), min(step), max(step) {OF_SERIES}"


@dataclass(frozen=True)
class Series:
    """`points` is how many there are; `sampled` says that only some of them are here."""

    name: str
    points: int
    sampled: bool
    steps: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    epochs: list[float] = field(default_factory=list)


def read_series(
    session: Session,
    run_id: int,
    names: Sequence[str] = (),
    max_points: int = DEFAULT_POINTS,
    after: int = -1,
    before: int = MAX_ID,
) -> list[Series]:
    """The run's series of these names (all, if none is given) with at most `max_points` points each, of steps between
    `after` and `before`."""
    return [
        Series(one.name, one.points, one.sampled, *map(list, zip(*_driver(session).execute(*one.query), strict=True)))
        for one in choose_points(session, run_id, names, max_points, after, before)
    ]


@dataclass(frozen=True)
class ChosenPoints:
    """`query`: a statement and its values, for the points in order as (step, value, time, epoch)."""

    name: str
    points: int
    sampled: bool
    query: tuple[str, dict[str, int]]


def choose_points(
    session: Session, run_id: int, names: Sequence[str], max_points: int, after: int = -1, before: int = MAX_ID
) -> list[ChosenPoints]:
    """Of each series that has any, which points will be read: for those who have SQLite write them, see read_text."""
    statement = select(MetricName).order_by(col(MetricName.id))
    if names:
        statement = statement.where(col(MetricName.name).in_(names))
    found = (_choose(session, run_id, name, max_points, after, before) for name in session.exec(statement))
    return [series for series in found if series.points]


def read_text(session: Session, chosen: ChosenPoints) -> tuple[str, str, str, str]:
    """Steps, values, times and epochs as JSON arrays: values in six significant digits, times in hundredths.

    It takes two thirds of the work of rows that Python writes. SQLite keeps the order of a subquery for group_concat.
    """
    statement, which = chosen.query
    found: tuple[str, str, str, str] = _driver(session).execute(TEXT.format(statement), which).fetchone()
    return found


def at_steps(
    session: Session, run_id: int, names: Sequence[str], steps: Sequence[int]
) -> dict[str, dict[int, tuple[float | None, float]]]:
    """What these series have at exactly these steps: by name and step, the value and the epoch."""
    # With the ids of the names, each point is one look-up in the table's key.
    ids = session.exec(select(MetricName.id, MetricName.name).where(col(MetricName.name).in_(names))).all()
    found: dict[str, dict[int, tuple[float | None, float]]] = {}
    for name_id, name in ids:
        of_run = select(MetricPoint.step, MetricPoint.value, MetricPoint.epoch).where(
            MetricPoint.run_id == run_id, MetricPoint.name_id == name_id, col(MetricPoint.step).in_(steps)
        )
        found[name] = {step: (value, epoch) for step, value, epoch in session.exec(of_run)}
    return found


def _choose(session: Session, run_id: int, name: MetricName, max_points: int, after: int, before: int) -> ChosenPoints:
    which = {"run": run_id, "name": name.id or 0, "after": after, "before": before}
    points, first, last = _driver(session).execute(EXTENT, which).fetchone()
    sampled = points > max_points
    if sampled:
        # Two points a bucket, two for the ends; buckets start at multiples of their width, so one more may be needed.
        buckets = max(1, (max_points - 2) // 2 - 1)
        which["width"] = -(-(last - first + 1) // buckets)
    return ChosenPoints(name.name, points, sampled, (THINNED if sampled else WHOLE, which))


def _driver(session: Session) -> Any:
    """SQLite's own connection, in the session's transaction: without a row object for each of many points."""
    return session.connection().connection.driver_connection
