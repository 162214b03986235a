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

# What has been compared is known for as long; and so many runs are drawn for at once, as memory allows.
MOST_KNOWN = 4096
TOGETHER = 12

NAN = float("nan")


def intervals(settings: Settings, run_id: int, other_id: int) -> dict[str, Interval]:
    """95 % intervals of run less other by metric; one whose spread is not known is missing."""
    return {name: found.absolute for name, found in compare(settings, [other_id], [run_id]).items()}


def compare(settings: Settings, before: Sequence[int], after: Sequence[int]) -> dict[str, Difference]:
    """By metric, between two configurations: the ids of their runs, one a seed. Unknown where a run left no answers."""
    ours, theirs = (_files(settings, ids) for ids in (before, after))
    return _compare(ours, theirs) if ours and theirs else {}


def against(settings: Settings, baseline: int, others: Sequence[int]) -> dict[int, dict[str, Difference]]:
    """`compare` of each of many runs with one, by the id of the run; their draws are made several at a time."""
    start = _file(settings, baseline)
    files = {run_id: file for run_id in others if (file := _file(settings, run_id)) is not None}
    if start is None:
        return {run_id: {} for run_id in others}
    _compare_together(start, [file for file in files.values() if ((start,), (file,)) not in _known_differences])
    return {i: _compare((start,), (files[i],)) if i in files else {} for i in others}


@dataclass(frozen=True)
class _Predictions:
    """A run's file and when it was written: what is computed from it holds for as long."""

    path: Path
    changed: int


_Files = tuple[_Predictions, ...]


@dataclass(frozen=True)
class _Answers:
    """The rows that a model answered and its parts in the metrics, as a paired.Side's table."""

    rows: tuple[int, ...]
    table: "Floats"


def _files(settings: Settings, ids: Sequence[int]) -> _Files | None:
    """None where a run left no answers."""
    found = [file for run_id in ids if (file := _file(settings, run_id)) is not None]
    return tuple(found) if len(found) == len(ids) else None


def _file(settings: Settings, run_id: int) -> _Predictions | None:
    path = artifacts.folder(settings, run_id) / predictions.FILE
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return _Predictions(path, found.st_mtime_ns) if found.st_size <= MOST_BYTES else None


# Every comparison made so far, the oldest forgotten first; a file that changes is another one.
_known_differences: dict[tuple[_Files, _Files], dict[str, Difference]] = {}


def _remember(before: _Files, after: _Files, found: dict[str, Difference]) -> dict[str, Difference]:
    if len(_known_differences) >= MOST_KNOWN:
        _known_differences.pop(next(iter(_known_differences)), None)
    _known_differences[before, after] = found
    return found


def _compare(before: _Files, after: _Files) -> dict[str, Difference]:
    if (known := _known_differences.get((before, after))) is not None:
        return known
    rows = _shared_rows((*before, *after))
    if not rows:
        return _remember(before, after, {})
    ours, theirs = ([_samples(file, rows) for file in files] for files in (before, after))
    return _remember(before, after, _differences(ours, theirs))


def _compare_together(start: _Predictions, files: Sequence[_Predictions]) -> None:
    """Those that answered the same rows, a few at a time: so many draws of so many are held at once."""
    from app.statistics import paired

    by_rows: dict[tuple[int, ...], list[_Predictions]] = {}
    for file in files:
        by_rows.setdefault(_shared_rows((start, file)), []).append(file)
    for rows, alike in by_rows.items():
        for first in range(0, len(alike) if rows else 0, TOGETHER):
            few = alike[first : first + TOGETHER]
            drawn = paired.samples_of_several([_table(file, rows) for file in few])
            for file, found in zip(few, drawn, strict=True):
                _remember((start,), (file,), _differences([_samples(start, rows)], [found]))


def _differences(ours: "Sequence[dict[str, Sample]]", theirs: "Sequence[dict[str, Sample]]") -> dict[str, Difference]:
    """Of the metrics that all of them know."""
    from app.statistics import paired

    known = set(ours[0]).intersection(*ours, *theirs)
    return {name: paired.difference([run[name] for run in ours], [run[name] for run in theirs]) for name in known}


def _shared_rows(files: _Files) -> tuple[int, ...]:
    """The rows that all of them answered; none where those are too few to tell anything."""
    answered = [_answers(file).rows for file in files]
    rows = set(answered[0]).intersection(*answered)
    return tuple(sorted(rows)) if len(rows) >= FEWEST_ROWS else ()


def _table(file: _Predictions, rows: tuple[int, ...]) -> "Floats":
    answers = _answers(file)
    places = {row: place for place, row in enumerate(answers.rows)}
    return answers.table[[places[row] for row in rows]]


@lru_cache(maxsize=32)
def _samples(file: _Predictions, rows: tuple[int, ...]) -> "dict[str, Sample]":
    """Runs that were asked the same answered the same rows: computed once, they serve every comparison."""
    from app.statistics import paired

    return paired.samples(_table(file, rows))


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
