"""What stands in the cells of a row: a metric with its certainty, a cost as a trade."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.board.leaderboard import Delta
from app.board.run_columns import Column
from app.metrics import Metric
from app.web.numbers import TimeScale, number, signed


@dataclass(frozen=True)
class MetricCell:
    """`delta` is against the baseline, None where there is none to compare with.

    `spread` is the standard deviation over seeds, where the row stands for several.
    """

    metric: Metric
    value: float | None
    is_best: bool
    delta: Delta | None
    spread: float | None


@dataclass(frozen=True)
class CostCell:
    """Time or memory: a trade and not a verdict, so its delta is text without a colour."""

    value: str
    unit: str
    delta: str
    note: str


@dataclass(frozen=True)
class Scale:
    """The one unit of a column of costs, so that its rows compare at a glance."""

    unit: str
    factor: float
    decimals: int

    @classmethod
    def of(cls, column: Column, values: Iterable[float | None]) -> "Scale":
        largest = max((value for value in values if value is not None), default=0.0)
        if column.unit == "bytes":
            return cls("GB", 1e9, 1)
        if column.unit == "s":
            times = TimeScale.of([largest])
            return cls(times.unit, times.factor, 1 if 0 < largest / times.factor < 10 else 0)
        if largest >= 1e6:
            return cls("M", 1e6, 1)
        return cls(column.unit, 1, 0)

    def cell(self, value: float | None, delta: Delta | None, note: str) -> CostCell:
        scaled = None if value is None else value / self.factor
        return CostCell(number(scaled, self.decimals), self.unit, self._delta(delta), note)

    def _delta(self, delta: Delta | None) -> str:
        if delta is None:
            return ""
        difference = round(delta.absolute / self.factor, self.decimals)
        return signed(difference, self.decimals) if difference else "="
