"""Quality against a cost, as svg made on the server: better is up, cheaper is left, what nothing beats is filled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.metrics import BY_SHORT
from app.web import axis
from app.web.numbers import TimeScale, number

WIDTH, HEIGHT = 480, 260
LEFT, RIGHT, TOP, BOTTOM = 44, 24, 20, 36
ROOM = 0.08  # of the range, so that no mark lies on an edge
MOST_LABELS = 8


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class Mark:
    x: float
    y: float
    run_id: int
    name: str
    on_front: bool
    said: str
    label: str  # empty where there is no room for the name
    anchor: str


@dataclass(frozen=True)
class Plot:
    title: str
    x_label: str
    y_label: str
    marks: list[Mark]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def plots(trade_offs: dict[str, Any]) -> list[Plot]:
    """One for each cost that every configuration has; none for fewer than two configurations."""
    points = trade_offs["points"]
    if len(points) < 2:
        return []
    times = TimeScale.of(point["train_seconds"] for point in points)
    scales = {
        "train_seconds": ("training time", times.unit, 1 / times.factor),
        "peak_memory_bytes": ("peak memory", "GB", 1e-9),
    }
    costs = [name for name in trade_offs["axes"] if name in scales]
    return [_plot(points, trade_offs["metric"], cost, *scales[cost]) for cost in costs]


def _plot(points: Sequence[dict[str, Any]], metric: str, cost: str, words: str, unit: str, factor: float) -> Plot:
    label, decimals = BY_SHORT[metric].label, BY_SHORT[metric].decimals
    lower = BY_SHORT[metric].direction == "lower"
    xs, ys = [point[cost] * factor for point in points], [point["value"] for point in points]
    to_x, x_ticks = _scale(xs, LEFT, WIDTH - RIGHT)
    ends = (TOP, HEIGHT - BOTTOM) if lower else (HEIGHT - BOTTOM, TOP)
    to_y, y_ticks = _scale(ys, *ends)
    named = sum(point["on_front"] for point in points) <= MOST_LABELS
    marks = [
        _mark(point, to_x(x), to_y(y), f"{label} {number(y, decimals)}, {number(x, 1)} {unit}", named=named)
        for point, x, y in zip(points, xs, ys, strict=True)
    ]
    return Plot(f"{label} against {words}", f"{words}, {unit}", label, marks, x_ticks, y_ticks)


def _mark(point: dict[str, Any], x: float, y: float, said: str, *, named: bool) -> Mark:
    label = point["name"] if named and point["on_front"] else ""
    anchor = "end" if x > LEFT + 0.7 * (WIDTH - LEFT - RIGHT) else "start"
    return Mark(x, y, point["run_id"], point["name"], point["on_front"], said, label, anchor)


def _scale(values: Sequence[float], first: float, last: float) -> tuple[Callable[[float], float], list[Tick]]:
    """From values to places between `first` and `last`, and round values on the way."""
    low, high = min(values), max(values)
    room = ROOM * ((high - low) or abs(high) or 1.0)
    low, high = low - room, high + room

    def place(value: float) -> float:
        return round(first + (value - low) / (high - low) * (last - first), 1)

    marks = [mark for mark in axis.ticks(low, high) if low <= mark <= high]
    return place, [Tick(place(mark), number(mark, axis.decimals(marks))) for mark in marks]
