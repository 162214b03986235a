"""What may be said of a difference: its interval, how likely chance alone makes one as large, and Holm's correction.

Pure and without numpy, so that whoever only reads a difference need not load what computes one (app.statistics.paired).
"""

from collections.abc import Sequence
from dataclasses import dataclass

# Chance of calling a difference real where there is none; an interval holds the truth in 1 - LEVEL of all cases.
LEVEL = 0.05

Interval = tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """Of one metric, after less before: 95 % intervals, and the two-sided p-value of there being none.

    `relative` is a share of before, None where that may be zero. Either interval holds zero where p_value > LEVEL.
    """

    absolute: Interval
    relative: Interval | None
    p_value: float


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value adjusted for all of them being looked at: below LEVEL, none of those is chance with 95 % certainty.

    Holm 1979, "A simple sequentially rejective multiple test procedure": the smallest times n, the next times n - 1
    and so on, none smaller than the one before.
    """
    adjusted = [0.0] * len(p_values)
    so_far = 0.0
    for done, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        so_far = max(so_far, min(1.0, (len(p_values) - done) * p_values[place]))
        adjusted[place] = so_far
    return adjusted
