"""Numbers as people read them: typographic minus, units in quiet type, decimals from the metric catalogue.

What was not measured is an en dash, never 0.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup, escape

from app.db import now
from app.metrics import BY_SHORT
from app.run_config import value_text

MINUS = "−"
NOTHING = "–"

Number = float | int | None


def is_missing(value: Number) -> bool:
    return value is None or not math.isfinite(value)


def number(value: Number, decimals: int = 0) -> str:
    """2500 -> "2,500"."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:,.{decimals}f}".replace("-", MINUS)


def signed(value: Number, decimals: int = 0) -> str:
    """A difference: "+2.6", "−0.9"; "±0.0" where it vanishes in the decimals shown."""
    if value is None or not math.isfinite(value):
        return NOTHING
    sign = "±" if round(abs(value), decimals) == 0 else "+" if value > 0 else MINUS
    return sign + number(abs(value), decimals)


def difference(value: Number, decimals: int, *, is_real: bool) -> str:
    """A difference; one that is real does not vanish in the decimals shown, but gets enough of them: "−0.04"."""
    if value and math.isfinite(value) and is_real and round(value, decimals) == 0:
        decimals = -math.floor(math.log10(abs(value)))
    return signed(value, decimals)


def metric(value: Number, short: str) -> str:
    """A value of the metric with its own number of decimals; one that they would make 0 is written 1.2e-5."""
    decimals = BY_SHORT[short].decimals
    if value and math.isfinite(value) and round(value, decimals) == 0:
        return value_text(float(f"{value:.1e}"), plain_from=1e-3).replace("-", MINUS)
    return number(value, decimals)


def change(fraction: Number, decimals: int = 1) -> str:
    """A relative change: -0.606 -> "−60.6 %"."""
    return NOTHING if fraction is None else f"{signed(fraction * 100, decimals)} %"


def share(fraction: Number, decimals: int = 0) -> str:
    """A part of a whole: 0.62 -> "62 %"."""
    return NOTHING if fraction is None else f"{number(fraction * 100, decimals)} %"


def with_unit(text: str, unit: str) -> Markup:
    return Markup("{} <u>{}</u>").format(text, unit) if unit else escape(text)


def gigabytes(value: Number, decimals: int = 1) -> Markup:
    """Memory, in the one unit that makes rows comparable."""
    return escape(NOTHING) if value is None else with_unit(number(value / 1e9, decimals), "GB")


def size(value: Number) -> Markup:
    """A file's size in the unit that suits it."""
    if value is None:
        return escape(NOTHING)
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= factor:
            return with_unit(number(value / factor, 1 if value < 10 * factor else 0), unit)
    return with_unit(number(value), "bytes")


def duration(seconds: Number) -> Markup:
    """42 s, 6.5 min, 75 min, 3 h 05 min."""
    if seconds is None or not math.isfinite(seconds):
        return escape(NOTHING)
    if seconds < 99.5:
        return with_unit(number(seconds, 1 if 0 < seconds < 9.95 else 0), "s")
    minutes = seconds / 60
    if minutes < 119.5:
        return with_unit(number(minutes, 1 if minutes < 9.95 else 0), "min")
    hours, rest = divmod(round(minutes), 60)
    return Markup("{} <u>h</u> {:02d} <u>min</u>").format(hours, rest)


@dataclass(frozen=True)
class TimeScale:
    """One unit for a whole column of times, so that they compare at a glance."""

    unit: str
    factor: float

    @classmethod
    def of(cls, seconds: Iterable[Number]) -> "TimeScale":
        longest = max((s for s in seconds if s is not None), default=0.0)
        if longest < 600:
            return cls("s", 1)
        return cls("min", 60) if longest < 36_000 else cls("h", 3600)

    def scaled(self, seconds: Number) -> Number:
        return None if seconds is None else seconds / self.factor


def ago(moment: datetime | None) -> str:
    """How long ago: "just now", "53 min", "2 h", "3 d"."""
    if moment is None:
        return NOTHING
    seconds = (now() - moment).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "just now"


def setting(value: Any) -> str:
    """The value of a setting: 0.0002 -> "2e-4", True -> "yes"."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value_text(value)


def verdict(short: str, difference: Number, interval: list[float] | None = None) -> str:
    """What a difference of a metric means: good, bad, noise (its interval holds zero) or none (nothing to judge)."""
    direction = BY_SHORT[short].direction
    if difference is None or not math.isfinite(difference) or difference == 0 or direction is None:
        return "none"
    if interval and interval[0] <= 0 <= interval[1]:
        return "noise"
    return "good" if (difference < 0) == (direction == "lower") else "bad"
