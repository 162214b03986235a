"""Runs by their names in running text: told apart where two are called alike, and counted where there are many."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from app.models import Run

# More than these are a number and not names: a sentence is read at one go.
MOST_NAMED = 4
LONGEST = 40

_NUMBERED = re.compile(r"(.*?)(\d{1,9})")


def names(runs: Sequence[Run]) -> dict[int, str]:
    """By run id: what is too long for a sentence is cut, and what is then alike has its id behind it."""
    short = {run.id or 0: run.name if len(run.name) <= LONGEST else f"{run.name[: LONGEST - 1]}…" for run in runs}
    often = Counter(short.values())
    return {run_id: name if often[name] == 1 else f"{name} (#{run_id})" for run_id, name in short.items()}


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def several(ids: Sequence[int], called: Mapping[int, str]) -> str:
    """`Exp 1 to 4`, `Exp 1, Exp 5 and Exp 7`, `14 runs`."""
    words = [called[run_id] for run_id in ids]
    if (span := _span(words)) is not None:
        return span
    return listed(words) if len(words) <= MOST_NAMED else f"{len(words)} runs"


def _span(words: Sequence[str]) -> str | None:
    """Three or more names that are one word with numbers in a row."""
    parts = [_NUMBERED.fullmatch(word) for word in words]
    found = sorted((part[1], int(part[2])) for part in parts if part)
    if len(words) < 3 or len(found) < len(words) or found[0][0] != found[-1][0]:
        return None
    numbers = [number for _, number in found]
    in_a_row = numbers == list(range(numbers[0], numbers[-1] + 1))
    return f"{found[0][0]}{numbers[0]} to {numbers[-1]}" if in_a_row else None
