"""A run's last and best value of each metric, kept up as points come in: what tables sort by."""

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert
from sqlmodel import Session, col

from app.metrics import BY_NAME, BY_SHORT, is_better
from app.models import RunValue


def finite(value: Any) -> Any:
    """`value` with every number that is NaN or infinite as None, however deep it lies."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Values:
    """What is known so far, and what of it is new since the last write."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, float]] = {}
        self._new: set[str] = set()

    def load(self, session: Session, run_id: int) -> None:
        """Continue from what earlier attempts recorded."""
        for row in session.scalars(select(RunValue).where(col(RunValue.run_id) == run_id)):
            self._known[row.name] = (row.last, row.best)

    def take(self, values: Mapping[str, float | None]) -> None:
        for name, value in values.items():
            if value is not None and math.isfinite(value):
                self._known[name] = (value, _better(name, value, self._known.get(name)))
                self._new.add(name)

    def take_results(self, results: Mapping[str, Any]) -> None:
        """The final evaluation stands for the run; a better value on the way, of the same rows, stays its best."""
        for short, value in (results.get("finetuned") or {}).items():
            if short in BY_SHORT:
                self.take({BY_SHORT[short].name: value})

    def write(self, session: Session, run_id: int) -> None:
        """Without a commit; `written` afterwards."""
        rows = [{"run_id": run_id, "name": n, "last": last, "best": best} for n, (last, best) in self._fresh()]
        if rows:
            session.execute(insert(RunValue).prefix_with("OR REPLACE"), rows)

    def written(self) -> None:
        self._new.clear()

    def _fresh(self) -> list[tuple[str, tuple[float, float]]]:
        return [(name, self._known[name]) for name in sorted(self._new)]


def _better(name: str, value: float, known: tuple[float, float] | None) -> float:
    """The better of a new value and the best so far; for a metric without a direction the new one."""
    metric = BY_NAME.get(name)
    if known is None or metric is None or metric.direction is None:
        return value
    return value if is_better(metric, value, known[1]) else known[1]
