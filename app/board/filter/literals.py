"""The values that a filter compares with: numbers with their units, times, texts, true and false."""

import math
import re
from datetime import UTC, datetime, timedelta

from app.board.filter.syntax import Ago, Period
from app.db import MAX_ID

NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(.*)", re.IGNORECASE | re.DOTALL)
BYTES: dict[str, float] = {
    "b": 1,
    "bytes": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
SECONDS: dict[str, float] = {"ms": 0.001}
for names, seconds in (
    (("s", "sec", "second", "seconds"), 1),
    (("min", "minute", "minutes"), 60),
    (("h", "hour", "hours"), 3600),
    (("d", "day", "days"), 86_400),
    (("week", "weeks"), 604_800),
):
    SECONDS |= dict.fromkeys(names, seconds)
UNITS: dict[str, dict[str, float]] = {"bytes": BYTES, "s": SECONDS}

# Each with how long a time that is written so lasts.
FORMATS = (
    ("%Y-%m-%d", timedelta(days=1)),
    ("%Y-%m-%d %H:%M", timedelta(minutes=1)),
    ("%Y-%m-%d %H:%M:%S", timedelta(seconds=1)),
)


def split_number(text: str) -> tuple[str, str] | None:
    """`4.2GB` as number and unit; None for what begins with no number. The typographic minus is one, too."""
    found = NUMBER.fullmatch(text.replace("−", "-"))
    return (found[1], found[2]) if found else None


def factor(unit: str, of: str) -> float | None:
    """What a number in `unit` is multiplied with to be in the unit `of`; None where it is no such unit."""
    if unit == of:
        return 1
    return UNITS.get(of, {}).get(unit.lower())


def number(digits: str, times: float = 1) -> int | float | None:
    """None for what is too large to be one."""
    value = float(digits) * times
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) <= MAX_ID // 2 else value


def period(text: str) -> Period | None:
    """A time in UTC: 2026-01-31, 2026-01-31 18:30, with seconds if need be, a T between or a Z behind."""
    plain = text.strip().upper().removesuffix("Z").replace("T", " ")
    for form, lasts in FORMATS:
        try:
            start = datetime.strptime(plain, form).replace(tzinfo=UTC)
            return Period(start, start + lasts)
        except (ValueError, OverflowError):
            continue
    return None


def ago(digits: str, unit: str) -> Ago | None:
    times = SECONDS.get(unit.lower())
    try:
        return Ago(timedelta(seconds=float(digits) * times)) if times else None
    except OverflowError:
        return None
