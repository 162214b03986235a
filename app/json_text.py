"""JSON that somebody sent, as values that can be kept: no NaN, nothing infinite, no half of a surrogate pair."""

import json
import math
from typing import Any

HALF_A_PAIR = "has half a surrogate pair (\\ud800 to \\udfff), which is no character"


def parse(text: str | bytes) -> Any:
    """Raises ValueError with a reason."""
    try:
        value = json.loads(text, parse_constant=_refused, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if unstorable(value) is not None:
        raise ValueError(f"it {HALF_A_PAIR}")
    return value


def unstorable(value: Any) -> str | None:
    """Where the first text stands that no database or answer can hold, as a dotted name; None: all can be kept."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:  # no recursion: what was sent may be nested as deeply as the parser allows
        place, item = waiting.pop()
        if isinstance(item, str):
            if not _is_text(item):
                return place
        elif isinstance(item, list):
            waiting += [(f"{place}.{i}" if place else str(i), part) for i, part in enumerate(item)]
        elif isinstance(item, dict):
            if not all(map(_is_text, item)):
                return place
            waiting += [(f"{place}.{name}" if place else name, part) for name, part in item.items()]
    return None


def shown(text: str) -> str:
    """A text that may be anything, as an answer can carry it."""
    return text.encode(errors="replace").decode()


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refused(name: str) -> Any:
    raise ValueError(f"it has {name}, a value that JSON does not have")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:40]} is too large a number")
    return value
