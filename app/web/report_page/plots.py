"""Quality against a cost, as svg made on the server: better is up, cheaper is left, what nothing beats is filled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.metrics import BY_SHORT
from app.web import axis
from app.web.axis import Tick
from app.web.numbers import TimeScale, number

WIDTH, HEIGHT = 480, 260
LEFT, RIGHT, TOP, BOTTOM = 44, 24, 20, 36
ROOM = 0.08  # of the range, so that no mark lies on an edge
MOST_LABELS = 24
LONGEST_LABEL = 24
LETTER, LINE = 6.5, 13  # about the width of a letter and the height of a line


@dataclass(frozen=True)
class Mark:
    x: float
    y: float
    run_id: int
    name: str
    on_front: bool
    said: str
    label: str = ""  # empty where there is no room for the name
    anchor: str = "start"
    label_x: float = 0
    label_y: float = 0


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
    marks = [
        Mark(
            to_x(x),
            to_y(y),
            point["run_id"],
            point["name"],
            point["on_front"],
            f"{label} {number(y, decimals)}, {number(x, 1)} {unit}",
        )
        for point, x, y in zip(points, xs, ys, strict=True)
    ]
    return Plot(f"{label} against {words}", f"{words}, {unit}", label, _labelled(marks), x_ticks, y_ticks)


def _labelled(marks: Sequence[Mark]) -> list[Mark]:
    """Names beside what is on the front, above or below it, where they hide neither a mark nor a name."""
    placed: list[Mark] = []
    for mark in marks:
        choices = [_named(mark, side) for side in (-8, 16)] if mark.on_front and len(placed) < MOST_LABELS else []
        free = (choice for choice in choices if not _hides(choice, [m for m in marks if m is not mark], placed))
        placed.append(next(free, mark))
    return placed


def _named(mark: Mark, below: float) -> Mark:
    text = mark.name if len(mark.name) <= LONGEST_LABEL else mark.name[: LONGEST_LABEL - 1] + "…"
    end = mark.x > LEFT + 0.7 * (WIDTH - LEFT - RIGHT)
    return replace(
        mark,
        label=text,
        anchor="end" if end else "start",
        label_x=round(mark.x + (-6 if end else 6), 1),
        label_y=round(mark.y + below, 1),
    )


def _hides(mark: Mark, others: Sequence[Mark], placed: Sequence[Mark]) -> bool:
    left, right = _extent(mark)
    on_marks = any(left - 5 < o.x < right + 5 and -14 < o.y - mark.label_y < 6 for o in others)
    named = [other for other in placed if other.label]
    on_names = any(
        left < _extent(o)[1] and _extent(o)[0] < right and abs(o.label_y - mark.label_y) < LINE for o in named
    )
    return on_marks or on_names


def _extent(mark: Mark) -> tuple[float, float]:
    """Of the name, from left to right."""
    width = LETTER * len(mark.label)
    return (mark.label_x - width, mark.label_x) if mark.anchor == "end" else (mark.label_x, mark.label_x + width)


def _scale(values: Sequence[float], first: float, last: float) -> tuple[Callable[[float], float], list[Tick]]:
    """From values to places between `first` and `last`, and round values on the way."""
    low, high = min(values), max(values)
    room = ROOM * ((high - low) or abs(high) or 1.0)
    low, high = low - room, high + room

    def place(value: float) -> float:
        return round(first + (value - low) / (high - low) * (last - first), 1)

    marks = [mark for mark in axis.ticks(low, high) if low <= mark <= high]
    return place, [Tick(place(mark), number(mark, axis.decimals(marks))) for mark in marks]
