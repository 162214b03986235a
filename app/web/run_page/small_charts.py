"""The series beside the loss, a small chart each: as svg, until a script draws what it has and what comes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.metrics import BY_NAME, CATALOGUE, Metric
from app.run_config import value_text
from app.series import Series
from app.web import axis
from app.web.axis import Tick
from app.web.numbers import MINUS, number
from app.web.run_page.curves import Point, line, stretches

WIDTH, HEIGHT = 280, 152
LEFT, RIGHT, TOP, BOTTOM = 42, 12, 10, 22

# In the large chart together.
LOSSES = ("train/loss", "eval/loss", "validation/loss")
# Of every run from its first step on: their places are kept for them.
FIRST = ("train/learning_rate", "train/grad_norm", "train/tokens_per_second", "system/memory")
# A unit of the catalogue that people read in another one, with what its values are divided by.
READ_IN = {"bytes": ("GB", 1e9)}
# A dot for each point as well, where there are no more than these: a metric of each epoch.
MOST_DOTS = 40

# Path, dots, ticks along x and along y.
Drawn = tuple[str, list[Point], list[Tick], list[Tick]]


@dataclass(frozen=True)
class SmallChart:
    """`from_zero`: its axis begins there, as a cost's does. `dots` are the points, where they are few."""

    name: str
    label: str
    unit: str
    divide: float
    from_zero: bool
    path: str
    dots: list[Point]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT


def small_charts(series: Mapping[str, Series], total_steps: int | None, *, ended: bool) -> list[SmallChart]:
    """Those of the catalogue in its order, then those that it does not know; of an ended run only what it has."""
    known = [metric.name for metric in CATALOGUE if metric.name not in LOSSES]
    others = [name for name in series if name not in BY_NAME]
    return [_chart(name, series.get(name), total_steps) for name in (*known, *others) if name in series or not ended]


def _chart(name: str, series: Series | None, total_steps: int | None) -> SmallChart:
    metric = BY_NAME.get(name)
    unit, divide = READ_IN.get(metric.unit, (metric.unit, 1.0)) if metric else ("", 1.0)
    from_zero = metric is not None and metric.direction is None
    found = [[(step, value / divide) for step, value in part] for part in stretches(series)]
    parts: Drawn = ("", [], [], [])
    if found:
        parts = _drawn(found, max(total_steps or 1, found[-1][-1][0]), from_zero=from_zero)
    return SmallChart(name, _label(name, metric), unit, divide, from_zero, *parts)


def _label(name: str, metric: Metric | None) -> str:
    return metric.label if metric else name


def _drawn(parts: Sequence[Sequence[Point]], right: float, *, from_zero: bool) -> Drawn:
    seen = [value for part in parts for _, value in part]
    marks = axis.ticks(min(0.0, *seen) if from_zero else min(seen), max(seen), 3)
    low, high = marks[0], marks[-1]

    def place(point: Point) -> Point:
        x = LEFT + point[0] / right * (WIDTH - LEFT - RIGHT)
        y = TOP + (high - point[1]) / (high - low) * (HEIGHT - TOP - BOTTOM)
        return round(x, 1), round(y, 1)

    placed = [[place(point) for point in part] for part in parts]
    dots = [point for part in placed for point in part]
    places = axis.decimals(marks)
    return (
        "".join(map(line, placed)),
        dots if len(dots) <= MOST_DOTS else [],
        [Tick(place((step, low))[0], number(step)) for step in (0, right)],
        [Tick(place((0, value))[1], _short(value, places)) for value in marks],
    )


def _short(value: float, places: int) -> str:
    """A learning rate's 0.0002 is 2e-4 in the room that there is."""
    return number(value, places) if places < 4 or not value else value_text(value, plain_from=1e-3).replace("-", MINUS)
