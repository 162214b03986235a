"""The loss as svg: what a reader without a script sees, and everybody until the charts are loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice

from app.series import Series
from app.web import axis
from app.web.axis import Tick
from app.web.numbers import number
from app.web.spark import smoothed

WIDTH, HEIGHT = 860, 372
LEFT, RIGHT, TOP, BOTTOM = 36, 20, 12, 28

Point = tuple[float, float]


@dataclass(frozen=True)
class LossChart:
    """Paths and ticks in a box of WIDTH x HEIGHT."""

    raw: str
    smooth: str
    held_out: str
    validation: str
    dots: list[Point]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT


def loss_chart(
    train: Series | None, held_out: Series | None, total_steps: int | None, validation: Series | None = None
) -> LossChart | None:
    """None before there are two points."""
    parts, held_parts, validation_parts = stretches(train), stretches(held_out), stretches(validation)
    points, held = list(chain(*parts)), list(chain(*held_parts))
    if len(points) < 2:
        return None
    right = max(total_steps or 0, points[-1][0])
    smooth = iter(smoothed(points))
    smooth_parts = [list(islice(smooth, len(part))) for part in parts]
    seen = [y for _, y in chain(points, held, *validation_parts)]
    marks = axis.ticks(min(seen), max(seen))
    low, high = marks[0], marks[-1]

    def place(point: Point) -> Point:
        x = LEFT + point[0] / right * (WIDTH - LEFT - RIGHT)
        y = TOP + (high - point[1]) / (high - low) * (HEIGHT - TOP - BOTTOM)
        return round(x, 1), round(y, 1)

    def path(parts: list[list[Point]]) -> str:
        return "".join(line([place(p) for p in part]) for part in parts)

    return LossChart(
        path(parts),
        path(smooth_parts),
        path(held_parts),
        path(validation_parts),
        [place(p) for p in held],
        [Tick(place((step, low))[0], number(step)) for step in _steps(right)],
        [Tick(place((0, value))[1], number(value, axis.decimals(marks))) for value in marks],
    )


def stretches(series: Series | None) -> list[list[Point]]:
    """The points between two that have no value: a line across such a gap would claim what was not there."""
    parts: list[list[Point]] = [[]]
    for step, value in zip(series.steps, series.values, strict=True) if series else ():
        if value is None:
            parts.append([])
        else:
            parts[-1].append((step, value))
    return [part for part in parts if part]


def _steps(total: float) -> list[float]:
    return [round(total * part / 4) for part in range(5)] if total >= 4 else [0, total]


def line(points: Sequence[Point]) -> str:
    """As the data of an svg path."""
    return "".join(f"{'L' if i else 'M'}{x} {y}" for i, (x, y) in enumerate(points))
