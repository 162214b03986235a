"""How sure the difference between two runs is that answered the same rows.

The rows are the sample: a run that is better on nearly every row is better, one that is better on a few by chance is
not. Each metric is a function of sums over rows, so leaving out one row after the other (the jackknife; paired: the
same row on both sides) tells how far it depends on which rows were held out, in one pass and without a random number.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app import artifacts, paired, predictions
from app.settings import Settings

Z = 1.96  # of a 95 % interval
FEWEST_ROWS = 10
ORDERS = 4  # n-gram orders of BLEU
LARGEST_EXPONENT = 700.0  # of a float; what lies beyond is not shown anyway

# Larger files would make a page wait; their differences are shown without an interval.
MOST_BYTES = 20_000_000

Interval = tuple[float, float]
Sums = Sequence[float]


def perplexity(sums: Sums) -> float:
    """From negative log-likelihood and tokens."""
    nll, tokens = sums
    return math.exp(min(nll / tokens, LARGEST_EXPONENT))


def mean(sums: Sums) -> float:
    """From a score and a count."""
    total, rows = sums
    return total / rows


def bleu(sums: Sums) -> float:
    """Corpus BLEU as sacrebleu smooths it, from matching n-grams (1 to 4), n-grams in all, and the two lengths."""
    matches, totals, (answer, reference) = sums[:ORDERS], sums[ORDERS : 2 * ORDERS], sums[2 * ORDERS :]
    if not any(matches) or not all(totals):
        return 0.0
    logs, halves = 0.0, 1.0
    for match, total in zip(matches, totals, strict=True):
        halves = halves if match else halves / 2
        logs += math.log((match or halves) / total)
    return math.exp(logs / ORDERS + min(0.0, 1 - reference / answer))


METRICS: dict[str, Callable[[Sums], float]] = {"perplexity": perplexity, "bleu": bleu, "rouge_l": mean}

# By metric, what one held-out row adds to its sums.
RowParts = dict[str, tuple[float, ...]]


def intervals(settings: Settings, run_id: int, other_id: int) -> dict[str, Interval]:
    """95 % intervals of run less other by metric; one whose spread is not known is missing."""
    ours, theirs = _file(settings, run_id), _file(settings, other_id)
    return _intervals(ours, theirs) if ours and theirs else {}


def relative_intervals(settings: Settings, from_id: int, to_id: int) -> dict[str, Interval]:
    """95 % intervals of (to - from) / from by metric, as a run has them against its base (app.paired)."""
    before, after = _file(settings, from_id), _file(settings, to_id)
    return _relative_intervals(before, after) if before and after else {}


@dataclass(frozen=True)
class _Predictions:
    """A run's file and when it was written: what is computed from it holds for as long."""

    path: Path
    changed: int


def _file(settings: Settings, run_id: int) -> _Predictions | None:
    path = artifacts.folder(settings, run_id) / predictions.FILE
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return _Predictions(path, found.st_mtime_ns) if found.st_size <= MOST_BYTES else None


@lru_cache(maxsize=4096)
def _intervals(our_file: _Predictions, their_file: _Predictions) -> dict[str, Interval]:
    ours, theirs = _rows(our_file), _rows(their_file)
    both = sorted(ours.keys() & theirs.keys())
    if len(both) < FEWEST_ROWS:
        return {}
    return {
        name: jackknife(metric, [ours[row][name] for row in both], [theirs[row][name] for row in both])
        for name, metric in METRICS.items()
        if all(name in ours[row] and name in theirs[row] for row in both)
    }


@lru_cache(maxsize=4096)
def _relative_intervals(before: _Predictions, after: _Predictions) -> dict[str, Interval]:
    one, other = _rows(before), _rows(after)
    both = [
        row for row in sorted(one.keys() & other.keys()) if all(len(side[row]) == len(METRICS) for side in (one, other))
    ]
    if len(both) < FEWEST_ROWS:
        return {}
    found = paired.intervals(_side([one[row] for row in both]), _side([other[row] for row in both]))
    return {name: bounds for name, bounds in found.items() if bounds is not None}


def _side(rows: Sequence[RowParts]) -> paired.Side:
    return paired.Side(
        nll=[row["perplexity"][0] for row in rows],
        tokens=[row["perplexity"][1] for row in rows],
        rouge_l=[row["rouge_l"][0] for row in rows],
        bleu=[row["bleu"] for row in rows],
    )


def jackknife(metric: Callable[[Sums], float], ours: Sequence[Sums], theirs: Sequence[Sums]) -> Interval:
    """Of metric(ours) - metric(theirs); both list the same rows in the same order."""
    ours_left, theirs_left = _leave_one_out(metric, ours), _leave_one_out(metric, theirs)
    gaps = [a - b for a, b in zip(ours_left, theirs_left, strict=True)]
    middle = sum(gaps) / len(gaps)
    variance = (len(gaps) - 1) / len(gaps) * sum((gap - middle) ** 2 for gap in gaps)
    difference, spread = metric(_total(ours)) - metric(_total(theirs)), Z * math.sqrt(variance)
    return difference - spread, difference + spread


def _leave_one_out(metric: Callable[[Sums], float], rows: Sequence[Sums]) -> list[float]:
    total = _total(rows)
    return [metric([whole - part for whole, part in zip(total, row, strict=True)]) for row in rows]


def _total(rows: Sequence[Sums]) -> list[float]:
    return [sum(parts) for parts in zip(*rows, strict=True)]


@lru_cache(maxsize=64)
def _rows(file: _Predictions) -> dict[int, RowParts]:
    """By row, the fine-tuned model's parts."""
    with file.path.open(encoding="utf-8") as lines:
        found = (json.loads(line) for line in lines)
        return {prediction["row"]: _parts(prediction["scores"]["finetuned"]) for prediction in found}


def _parts(score: dict[str, float | list[int] | None]) -> RowParts:
    nll, tokens, rouge_l, counts = (score.get(name) for name in ("nll", "tokens", "rouge_l", "bleu"))
    parts: RowParts = {}
    if isinstance(nll, float) and isinstance(tokens, int) and tokens:
        parts["perplexity"] = (nll, tokens)
    if isinstance(rouge_l, (int, float)):
        parts["rouge_l"] = (rouge_l, 1)
    if isinstance(counts, list):
        parts["bleu"] = tuple(counts)
    return parts
