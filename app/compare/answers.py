"""What a model answered to the held-out rows: facts of each answer, kept in memory, and texts, read when shown.

A run's file of predictions holds two models' answers, the base's and the fine-tuned one's. It is read once; a row's
line is found again by its place in the file.
"""

import json
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from app import artifacts, predictions
from app.compare import marks, words
from app.predictions import Prediction
from app.settings import Settings

Model = Literal["base", "finetuned"]

# Rows that are read of one file, and of each where there are many files: a page must not be waited for.
MOST_ROWS, MOST_ROWS_OF_MANY, MANY = 5000, 500, 12
MOST_BYTES = 100_000_000


@dataclass(frozen=True)
class AnswerFile:
    """A run's predictions as they were written: what is found out about them holds for as long."""

    path: Path
    changed: int
    most_rows: int


@dataclass(frozen=True)
class Answers:
    """A model's answers, an entry a row in each column; NaN where a score is not known.

    `text` and `reference` tell equal texts from others; `is_whole`: no rows were left out.
    """

    file: AnswerFile
    model: Model
    is_whole: bool = True
    place: dict[int, int] = field(default_factory=dict)  # by the row's number in its data set
    offset: "array[int]" = field(default_factory=lambda: array("q"))
    rouge_l: "array[float]" = field(default_factory=lambda: array("d"))
    loss: "array[float]" = field(default_factory=lambda: array("d"))
    words: "array[int]" = field(default_factory=lambda: array("l"))
    repetition: "array[float]" = field(default_factory=lambda: array("d"))
    text: "array[int]" = field(default_factory=lambda: array("q"))
    reference: "array[int]" = field(default_factory=lambda: array("q"))
    marks: list[frozenset[str]] = field(default_factory=list)
    ends_known: list[bool] = field(default_factory=list)


def find(settings: Settings, run_id: int, *, files: int) -> AnswerFile | None:
    """None where the run has left no answers; `files` is how many are wanted together."""
    path = artifacts.folder(settings, run_id) / predictions.FILE
    try:
        changed = path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    return AnswerFile(path, changed, MOST_ROWS_OF_MANY if files > MANY else MOST_ROWS)


def read(file: AnswerFile) -> Iterator[tuple[int, Prediction]]:
    """Rows and where their lines begin, up to the most that are read."""
    offset = 0
    with file.path.open("rb") as lines:
        for number, line in enumerate(lines):
            if number >= file.most_rows or offset > MOST_BYTES:
                return
            yield offset, json.loads(line)
            offset += len(line)


@lru_cache(maxsize=160)
def answers(file: AnswerFile, model: Model) -> Answers:
    found = Answers(file, model, is_whole=_is_whole(file))
    for offset, prediction in read(file):
        found.place[prediction["row"]] = len(found.offset)
        found.offset.append(offset)
        _note(found, prediction)
    return found


def lines(file: AnswerFile, offsets: list[int]) -> list[Prediction]:
    """The rows whose lines begin there."""
    found = []
    with file.path.open("rb") as stored:
        for offset in offsets:
            stored.seek(offset)
            found.append(json.loads(stored.readline()))
    return found


def _note(found: Answers, prediction: Prediction) -> None:
    text, reference, scores = prediction[found.model], prediction["reference"], prediction["scores"][found.model]
    said = words.words(text)
    counted, ended = words.count(said), scores.get("ended")
    repetition = words.repetition(said)
    found.rouge_l.append(_known(scores.get("rouge_l")))
    found.loss.append(loss(scores))
    found.words.append(counted)
    found.repetition.append(repetition)
    found.text.append(hash(text))
    found.reference.append(hash(reference))
    found.marks.append(marks.own(counted, _length(reference), repetition, ended=ended))
    found.ends_known.append(ended is not None)


@lru_cache(maxsize=10_000)
def _length(reference: str) -> int:
    """In words; the same rows' references come with every run."""
    return words.count(words.words(reference))


def loss(scores: dict[str, Any]) -> float:
    """Nats a token of the reference."""
    nll, tokens = scores.get("nll"), scores.get("tokens")
    return math.nan if nll is None or not tokens else nll / tokens


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _is_whole(file: AnswerFile) -> bool:
    with file.path.open("rb") as stored:
        return sum(1 for _ in stored) <= file.most_rows and stored.tell() <= MOST_BYTES
