"""Points on their way into the table. A point replaces that of the same step: repeated steps never double."""

import json
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert
from sqlmodel import Session, col

from app.models import MetricName
from worker.protocol import Points
from worker.values import finite

# Where the child writes each point before it reports it: {"name", "step", "epoch", "time", "value"}, one a line.
POINTS_FILE = "metrics.jsonl"

# As the driver takes it, with a tuple a point: three times as fast as statements that are made of dictionaries.
WRITE = "INSERT OR REPLACE INTO metricpoint (run_id, name_id, step, value, time, epoch) VALUES (?, ?, ?, ?, ?, ?)"
Row = tuple[int, int, int, float | None, float, float]


def recorded(run_dir: Path) -> Iterator[Points]:
    """What earlier attempts measured: a worker that was killed takes the last second of reports with it, and the
    next attempt starts after the checkpoint, which may know more than the table."""
    path = run_dir / POINTS_FILE
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if point := _point(line):
                yield point


def _point(line: str) -> Points | None:
    """None for a line that was cut, or that a loss of power has damaged: the step it belongs to is made again."""
    if not line.endswith("\n"):
        return None
    try:
        point = json.loads(line)
        values = {point["name"]: point["value"]}
        return Points(step=point["step"], epoch=point["epoch"], time=point["time"], values=values)
    except (ValueError, KeyError, TypeError):
        return None


class Series:
    """What has come in and is not written yet."""

    def __init__(self) -> None:
        self._waiting: list[Points] = []
        self._name_ids: dict[str, int] = {}
        # Ids made in a transaction that may still be rolled back.
        self._new_ids: dict[str, int] = {}

    def take(self, points: Points) -> None:
        self._waiting.append(points)

    def write(self, session: Session, run_id: int) -> None:
        """Without a commit; `written` afterwards."""
        if not self._waiting:
            return
        names = {name for points in self._waiting for name in points.values}
        self._new_ids = _name_ids(session, names - set(self._name_ids))
        ids = self._name_ids | self._new_ids
        rows = [row for points in self._waiting for row in _rows(run_id, points, ids)]
        session.connection().exec_driver_sql(WRITE, rows)

    def written(self) -> None:
        self._name_ids |= self._new_ids
        self._waiting.clear()


def _name_ids(session: Session, names: set[str]) -> dict[str, int]:
    """The ids of metric names, made where a name is new."""
    if not names:
        return {}
    session.execute(insert(MetricName).prefix_with("OR IGNORE"), [{"name": name} for name in sorted(names)])
    found = session.scalars(select(MetricName).where(col(MetricName.name).in_(names)))
    return {row.name: row.id for row in found if row.id is not None}


def _rows(run_id: int, points: Points, ids: dict[str, int]) -> list[Row]:
    return [
        (run_id, ids[name], points.step, finite(value), points.time, points.epoch)
        for name, value in points.values.items()
    ]
