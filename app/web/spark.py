"""A small loss curve as svg paths, drawn on the server so that it needs no script."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 44
SMOOTHING = 0.86
MOST_POINTS = 120

Point = tuple[float, float]


@dataclass(frozen=True)
class Spark:
    """Paths in a box of WIDTH x HEIGHT: raw points, their moving average, and where the average has come to."""

    raw: str
    line: str
    end_x: float
    end_y: float
    first: float
    last: float


def spark(points: Sequence[Point], total_steps: int | None) -> Spark | None:
    """None with fewer than two points; `total_steps` leaves room for what is still to come."""
    if len(points) < 2:
        return None
    thin = points[:: max(1, len(points) // MOST_POINTS)]
    smooth = smoothed(thin)
    low, high = min(y for _, y in thin), max(y for _, y in thin)
    width = max(total_steps or 0, thin[-1][0]) or 1

    def place(point: Point) -> Point:
        x = 2 + point[0] / width * (WIDTH - 8)
        y = 3 + (high - point[1]) / ((high - low) or 1) * (HEIGHT - 6)
        return round(x, 1), round(y, 1)

    end_x, end_y = place(smooth[-1])
    return Spark(
        _path([place(p) for p in thin]),
        _path([place(p) for p in smooth]),
        end_x,
        end_y,
        thin[0][1],
        smooth[-1][1],
    )


def smoothed(points: Sequence[Point]) -> list[Point]:
    """Exponential moving average, corrected for its start."""
    smooth: list[Point] = []
    average, weight = 0.0, 0.0
    for x, y in points:
        average = SMOOTHING * average + (1 - SMOOTHING) * y
        weight = SMOOTHING * weight + (1 - SMOOTHING)
        smooth.append((x, average / weight))
    return smooth


def _path(points: Sequence[Point]) -> str:
    return "".join(f"{'L' if i else 'M'}{x} {y}" for i, (x, y) in enumerate(points))
