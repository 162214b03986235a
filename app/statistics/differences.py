"""How sure the difference between runs is, from the answers that they left: app.statistics.paired over their files.

Runs without kept answers (imported ones), with few rows in common or with very large files have no interval.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import artifacts, predictions
from app.settings import Settings
from app.statistics.significance import Difference, Interval

if TYPE_CHECKING:  # numpy is loaded by the first comparison, not by the web's start: app.statistics.paired needs it
    from app.statistics.paired import Floats, Sample

FEWEST_ROWS = 10

# Larger files would make a page wait; their differences are shown without an interval.
MOST_BYTES = 20_000_000

NAN = float("nan")


def intervals(settings: Settings, run_id: int, other_id: int) -> dict[str, Interval]:
    """95 % intervals of run less other by metric; one whose spread is not known is missing."""
    return {name: found.absolute for name, found in compare(settings, [other_id], [run_id]).items()}


def compare(settings: Settings, before: Sequence[int], after: Sequence[int]) -> dict[str, Difference]:
    """By metric, between two configurations: the ids of their runs, one a seed. Unknown where a run left no answers."""
    ours, theirs = (tuple(_file(settings, run_id) for run_id in ids) for ids in (before, after))
    if None in ours or None in theirs:
        return {}
    return _compare(ours, theirs)


@dataclass(frozen=True)
class _Predictions:
    """A run's file and when it was written: what is computed from it holds for as long."""

    path: Path
    changed: int


@dataclass(frozen=True)
class _Answers:
    """The rows that a model answered and its parts in the metrics, as a paired.Side's table."""

    rows: tuple[int, ...]
    table: "Floats"


def _file(settings: Settings, run_id: int) -> _Predictions | None:
    path = artifacts.folder(settings, run_id) / predictions.FILE
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return _Predictions(path, found.st_mtime_ns) if found.st_size <= MOST_BYTES else None


@lru_cache(maxsize=4096)
def _compare(before: tuple[_Predictions, ...], after: tuple[_Predictions, ...]) -> dict[str, Difference]:
    from app.statistics import paired

    answered = [_answers(file).rows for file in (*before, *after)]
    rows = tuple(sorted(set(answered[0]).intersection(*answered)))
    if len(rows) < FEWEST_ROWS:
        return {}
    ours, theirs = ([_samples(file, rows) for file in files] for files in (before, after))
    known = set(ours[0]).intersection(*ours, *theirs)
    return {name: paired.difference([run[name] for run in ours], [run[name] for run in theirs]) for name in known}


@lru_cache(maxsize=32)
def _samples(file: _Predictions, rows: tuple[int, ...]) -> "dict[str, Sample]":
    """Runs that were asked the same answered the same rows: computed once, they serve every comparison."""
    from app.statistics import paired

    answers = _answers(file)
    places = {row: place for place, row in enumerate(answers.rows)}
    return paired.samples(answers.table[[places[row] for row in rows]])


@lru_cache(maxsize=256)
def _answers(file: _Predictions) -> _Answers:
    from app.statistics import paired

    with file.path.open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    scores = [prediction["scores"]["finetuned"] for prediction in found]
    side = paired.Side(
        nll=[_known(score.get("nll")) for score in scores],
        tokens=[_known(score.get("tokens")) for score in scores],
        rouge_l=[_known(score.get("rouge_l")) for score in scores],
        bleu=[score.get("bleu") or [NAN] * 10 for score in scores],
    )
    return _Answers(tuple(prediction["row"] for prediction in found), side.table())


def _known(value: Any) -> float:
    return NAN if value is None else float(value)
