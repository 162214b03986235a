"""Metric series for charts. Long ones are thinned in SQL so that no peak and no dip is lost."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlmodel import Session, col, select

from app.db import MAX_ID
from app.models import MetricName, MetricPoint

DEFAULT_POINTS = 1000
MOST_POINTS = 10_000

# Of each bucket of steps the rows with its smallest and its largest value, and the ends of the whole series.
# SQLite takes the other columns from the row where min() or max() was found. NULL is a value that was not finite.
THINNED = text("""
WITH series AS (SELECT step, value, time, epoch FROM metricpoint
                WHERE run_id = :run AND name_id = :name AND step > :after AND step < :before),
low AS (SELECT step, min(value) AS value, time, epoch FROM series GROUP BY step / :width),
high AS (SELECT step, max(value) AS value, time, epoch FROM series GROUP BY step / :width)
SELECT step, value, time, epoch FROM low UNION SELECT step, value, time, epoch FROM high
UNION SELECT step, value, time, epoch FROM series
      WHERE step IN ((SELECT min(step) FROM series), (SELECT max(step) FROM series))
ORDER BY step
""")
OF_SERIES = "FROM metricpoint WHERE run_id = :run AND name_id = :name AND step > :after AND step < :before"
WHOLE = text(f"SELECT step, value, time, epoch {OF_SERIES} ORDER BY step")
EXTENT = text(f"SELECT count(*), min(step), max(step) {OF_SERIES}")


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
    statement = select(MetricName).order_by(col(MetricName.id))
    if names:
        statement = statement.where(col(MetricName.name).in_(names))
    found = (_read(session, run_id, name, max_points, after, before) for name in session.exec(statement))
    return [series for series in found if series.points]


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


def _read(session: Session, run_id: int, name: MetricName, max_points: int, after: int, before: int) -> Series:
    which = {"run": run_id, "name": name.id, "after": after, "before": before}
    points, first, last = session.connection().execute(EXTENT, which).one()
    sampled = points > max_points
    if sampled:
        # Two points a bucket, two for the ends; buckets start at multiples of their width, so one more may be needed.
        buckets = max(1, (max_points - 2) // 2 - 1)
        which["width"] = -(-(last - first + 1) // buckets)
    rows = session.connection().execute(THINNED if sampled else WHOLE, which).all()
    columns = map(list, zip(*rows, strict=True))  # all points at once: half the work of one at a time
    return Series(name.name, points, sampled, *columns)
