"""The interval plots: of each metric every run's difference to the baseline on one scale, as places along a line."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from app.compare.comparison import Comparison
from app.compare.results import Delta, MetricRow
from app.metrics import Metric
from app.statistics.significance import Interval
from app.web import axis
from app.web.axis import Tick
from app.web.numbers import signed

# The best so many stand on the first screen; the others are folded under them.
MOST_LINES = 12
# Beyond so many times the usual reach a run is drawn at the edge: it would press all others into a point.
FAR = 6
TICKS = 7
MOST_PLACES = 4
EDGE, SPAN = 4.0, 92.0  # per cent of the width


@dataclass(frozen=True)
class Line:
    """One run. Places are per cent of the width; `beyond` says that the mark is drawn nearer than it is."""

    run_id: int
    name: str
    delta: Delta
    means: str
    at: float
    low: float | None
    high: float | None
    beyond: str = ""  # left or right


@dataclass(frozen=True)
class Forest:
    metric: Metric
    lines: list[Line]
    folded: list[Line]
    ticks: list[Tick]
    zero: float


def means(delta: Delta) -> str:
    """good, bad, noise, or none: equal."""
    if delta.absolute == 0:
        return "none"
    return "noise" if delta.better is None else "good" if delta.better else "bad"


def interval_text(metric: Metric, interval: Interval) -> str:
    """`[−1.4, −0.4]`: with so many decimals that an end beside zero does not read as one at zero."""
    places = metric.decimals if metric.decimals < 2 else metric.decimals + 1
    nearest = min(map(abs, interval))
    if nearest and round(nearest, places) == 0:
        places = min(MOST_PLACES, -math.floor(math.log10(nearest)))
    return f"[{signed(interval[0], places)}, {signed(interval[1], places)}]"


def forests(comparison: Comparison, called: Mapping[int, str]) -> list[Forest]:
    """One for each metric in which something compares with the baseline; runs in the same order in all."""
    order = _order(comparison.metrics)
    return [_forest(row, order, called) for row in comparison.metrics if row.deltas]


def _order(rows: Sequence[MetricRow]) -> list[int]:
    """Best first by the first metric that knows a run."""
    order: list[int] = []
    for row in rows:
        sign = 1 if row.metric.direction == "lower" else -1
        new = [run_id for run_id in row.deltas if run_id not in order]
        order += sorted(new, key=lambda run_id: sign * row.values[run_id])
    return order


def _forest(row: MetricRow, order: Sequence[int], called: Mapping[int, str]) -> Forest:
    deltas = {run_id: row.deltas[run_id] for run_id in order if run_id in row.deltas}
    scale = _scale(list(deltas.values()))
    lines = [_line(run_id, called[run_id], delta, scale) for run_id, delta in deltas.items()]
    marks = [mark for mark in axis.ticks(*scale, TICKS) if scale[0] <= mark <= scale[1]]
    places = axis.decimals(marks)
    ticks = [Tick(_place(mark, scale), signed(mark, places) if mark else "0") for mark in marks]
    return Forest(row.metric, lines[:MOST_LINES], lines[MOST_LINES:], ticks, _place(0, scale))


def _scale(deltas: Sequence[Delta]) -> tuple[float, float]:
    """From the smallest to the largest end, zero inside; what lies far beyond all others is left out of it."""
    reach = [max(map(abs, _ends(delta))) for delta in deltas]
    usual = FAR * median(reach)
    near = [delta for delta, far in zip(deltas, reach, strict=True) if far <= usual or len(deltas) < 4]
    ends = [0.0, *(end for delta in near for end in _ends(delta))]
    low, high = min(ends), max(ends)
    room = 0.04 * ((high - low) or 1.0)
    return low - room, high + room


def _ends(delta: Delta) -> tuple[float, ...]:
    return (delta.absolute, *(delta.interval or ()))


def _place(value: float, scale: tuple[float, float]) -> float:
    low, high = scale
    inside = min(max(value, low), high)
    return round(EDGE + (inside - low) / (high - low) * SPAN, 2)


def _line(run_id: int, name: str, delta: Delta, scale: tuple[float, float]) -> Line:
    low, high = (_place(end, scale) for end in delta.interval) if delta.interval else (None, None)
    beyond = "left" if delta.absolute < scale[0] else "right" if delta.absolute > scale[1] else ""
    return Line(run_id, name, delta, means(delta), _place(delta.absolute, scale), low, high, beyond)


def best_first(comparison: Comparison) -> list[int]:
    """The baseline, then the runs by how good they are, then those of which that is not known."""
    chosen = comparison.chosen
    known = _order(comparison.metrics)
    return [chosen.ids[0], *known, *(run_id for run_id in chosen.ids[1:] if run_id not in known)]
