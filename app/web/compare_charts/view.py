"""All charts of a comparison, as the template and the script are given them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from app.compare.comparison import Comparison
from app.compare.names import names
from app.settings import Settings
from app.study import pareto
from app.web.compare_charts.columns import ChartColumn, columns
from app.web.compare_charts.curves import Curve, curves
from app.web.compare_charts.factors import MOST_DRAWN, Factor, factors

Json = dict[str, Any]


@dataclass(frozen=True)
class ChartRun:
    id: int
    name: str
    slot: str  # of the palette; empty: grey until it is singled out
    is_baseline: bool


@dataclass(frozen=True)
class Charts:
    """`front` are the runs that no other beats in both of `pair`, the two columns of the scatter to begin with."""

    runs: Sequence[ChartRun]
    curves: Sequence[Curve]
    columns: Sequence[ChartColumn]
    factors: Sequence[Factor]
    pair: tuple[ChartColumn, ChartColumn] | None
    front: frozenset[int]

    @property
    def drawn(self) -> Sequence[Factor]:
        return self.factors[:MOST_DRAWN]

    @property
    def data(self) -> Json:
        """What a script needs besides the points of the curves, which it asks for one chart at a time."""
        ids = [run.id for run in self.runs]
        return {
            "runs": [vars(run) for run in self.runs],
            "curves": [_curve(curve) for curve in self.curves],
            "columns": [_column(column, ids) for column in self.columns],
            "factors": [{"name": f.effect.factor, "rows": f.rows} for f in self.drawn],
            "pair": [column.name for column in self.pair or ()],
        }


def build(session: Session, places: Settings, compared: Comparison) -> Charts:
    found = columns(compared)
    pair = _pair(found)
    called, slots = names(compared.chosen.runs), compared.chosen.slots
    baseline = compared.chosen.baseline.id
    return Charts(
        [ChartRun(run_id, called[run_id], slots[run_id], run_id == baseline) for run_id in compared.chosen.ids],
        curves(session, compared),
        found,
        factors(places, compared),
        pair,
        _front(*pair) if pair else frozenset(),
    )


def _pair(found: Sequence[ChartColumn]) -> tuple[ChartColumn, ChartColumn] | None:
    """Quality against cost, where both are known; else the first result against the first other number."""
    results = [column for column in found if column.kind == "result"]
    others = [c for c in found if c.kind == "cost"] + results[1:] + [c for c in found if c.kind == "setting"]
    return (others[0], results[0]) if results and others else None


def _front(x: ChartColumn, y: ChartColumn) -> frozenset[int]:
    ids = [run_id for run_id in x.values if run_id in y.values]
    if x.better is None or y.better is None:
        return frozenset()
    points = [[_lower(column, run_id) for column in (x, y)] for run_id in ids]
    return frozenset(run_id for run_id, on_it in zip(ids, pareto.front(points), strict=True) if on_it)


def _lower(column: ChartColumn, run_id: int) -> float:
    """The value, turned so that lower is better."""
    value = float(column.values[run_id])
    return -value if column.better == "higher" else value


def _curve(curve: Curve) -> Json:
    return {
        "name": curve.metric.name,
        "label": curve.label,
        "unit": curve.unit,
        "scale": curve.scale,
        "decimals": 1 if curve.unit == "GB" else curve.metric.decimals,
        "large": curve.large,
        "runs": curve.runs,
    }


def _column(column: ChartColumn, ids: Sequence[int]) -> Json:
    """Values run by run; null where there is none."""

    def listed(found: Mapping[int, Any]) -> list[Any]:
        return [found.get(run_id) for run_id in ids]

    return {
        "name": column.name,
        "label": column.label,
        "unit": column.unit,
        "kind": column.kind,
        "better": column.better,
        "values": listed(column.values),
        "texts": listed(column.texts),
    }
