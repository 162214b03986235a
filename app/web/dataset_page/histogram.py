"""Lengths in tokens as bars, with the length that rows have to fit."""

from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 560.0, 96.0
GAP = 1.0


@dataclass(frozen=True)
class Bar:
    x: float
    width: float
    y: float
    height: float
    first: int
    last: int
    rows: int
    too_long: bool  # none of its rows fits


@dataclass(frozen=True)
class Histogram:
    """`limit` is where `max_length` stands, None where all rows are far shorter; `scale` are lengths along the axis."""

    bars: list[Bar]
    limit: float | None
    scale: list[tuple[float, int]]


def draw(lengths: dict[str, Any], max_length: int) -> Histogram:
    bins = lengths["histogram"]
    most = max(part["rows"] for part in bins)
    each = WIDTH / len(bins)
    tokens = bins[0]["to"] + 1  # as many as a bar is wide; the last one may hold more
    bars = []
    for at, part in enumerate(bins):
        height = 0.0 if not part["rows"] else max(1.0, round(part["rows"] / most * (HEIGHT - 2), 1))
        bars.append(
            Bar(
                x=round(at * each + GAP / 2, 1),
                width=round(each - GAP, 1),
                y=round(HEIGHT - height, 1),
                height=height,
                first=part["from"],
                last=part["to"],
                rows=part["rows"],
                too_long=part["from"] > max_length,
            )
        )
    limit = round(max_length / tokens * each, 1)
    scale = [(round(at * each, 1), at * tokens) for at in range(0, len(bins) - 1, max(1, len(bins) // 5))]
    return Histogram(bars, limit if limit < WIDTH else None, scale)
