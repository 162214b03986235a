"""Round values along an axis, and where their labels stand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


def ticks(low: float, high: float, parts: int = 4) -> list[float]:
    """Round values around the data, about `parts` + 1 of them."""
    rough = max(high - low, 1e-6) / parts
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def decimals(ticks: Sequence[float]) -> int:
    """As many as the ticks have."""
    return next((places for places in range(10) if all(round(tick, places) == tick for tick in ticks)), 10)
