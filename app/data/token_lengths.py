"""A data set's lengths in tokens, and what fits a `max_length`."""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.data import token_counts
from app.data.dataset_import import statistics


@dataclass(frozen=True)
class Lengths:
    """Each of `prompt`, `response` and `whole` has the form of app.data.dataset_import.statistics.lengths."""

    template: str
    max_length: int
    rows: int
    fitting: int
    shortened: int
    cut: int
    no_room: int
    prompt: dict[str, Any]
    response: dict[str, Any]
    whole: dict[str, Any]


def measure(counts_file: Path, max_length: int) -> Lengths | None:
    """None where nobody has counted yet. What was worked out is kept: a page asks for it with each of its views."""
    if not counts_file.is_file():
        return None
    return _measure(counts_file, counts_file.stat().st_mtime_ns, max_length)


@lru_cache(maxsize=32)
def _measure(counts_file: Path, _version: int, max_length: int) -> Lengths | None:
    counts = token_counts.read(counts_file)
    if counts is None or not len(counts):
        return None
    lost = [token_counts.fit(*row, max_length) for row in counts.rows()]
    whole = Counter(prompt + answer for prompt, _, answer in counts.rows())
    return Lengths(
        template=counts.template,
        max_length=max_length,
        rows=len(counts),
        fitting=sum(not (row.prompt or row.answer) for row in lost),
        shortened=sum(row.prompt > 0 for row in lost),
        cut=sum(row.answer > 0 for row in lost),
        no_room=sum(row.no_room for row in lost),
        prompt=statistics.lengths(Counter(counts.prompt), round_bins=True),
        response=statistics.lengths(Counter(counts.answer), round_bins=True),
        whole=statistics.lengths(whole, round_bins=True),
    )
