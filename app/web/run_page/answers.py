"""Held-out rows with the answers of base and fine-tuned model; words that ROUGE-L counts are marked.

Before the end the base's answers are there already, in the file of its measurement.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app import predictions
from app.data.row_lookup import look_up
from app.data.rows import Row
from app.models import Run
from app.predictions import Prediction
from app.settings import Settings
from app.statistics.overlap import Piece, pieces

PAGE_ROWS = 5

# Name in the address -> (what the link says, app.predictions' sort).
ORDERS = {
    "changed": ("Most improved", "-gain"),
    "worse": ("Got worse", "gain"),
    "worst": ("Worst", "rouge_l"),
    "row": ("In order", "row"),
}

# ROUGE-L that differs by no more is the same answer as far as a person can tell.
SAME = 0.005

# Of files with more rows, better and worse ones are not counted: every row would have to be read.
MOST_COUNTED = 5000


@dataclass(frozen=True)
class Answer:
    pieces: list[Piece]
    rouge_l: float | None

    @property
    def length(self) -> int:
        return sum(len(piece.text) for piece in self.pieces)


@dataclass(frozen=True)
class HeldOutRow:
    """`prompt` is the exact text that the model was given; `question` what the data set's row asks."""

    number: int
    question: str
    prompt: str
    reference: str
    base: Answer
    finetuned: Answer | None

    @property
    def gain(self) -> float | None:
        if self.finetuned is None or self.finetuned.rouge_l is None or self.base.rouge_l is None:
            return None
        return self.finetuned.rouge_l - self.base.rouge_l


@dataclass(frozen=True)
class Counts:
    """Rows by whether ROUGE-L rose, fell or stayed."""

    better: int
    worse: int
    same: int


@dataclass(frozen=True)
class Answers:
    """A page of rows; `order` is a key of ORDERS, `more` the offset of the next page."""

    rows: list[HeldOutRow]
    total: int
    order: str
    offset: int
    more: int | None
    counts: Counts | None = None
    page_rows: int = PAGE_ROWS


def answers(settings: Settings, run: Run, order: str, offset: int) -> Answers:
    assert run.id is not None
    order = order if order in ORDERS else next(iter(ORDERS))
    found = predictions.list_predictions(settings, run.id, sort=ORDERS[order][1], limit=PAGE_ROWS, cursor=str(offset))
    if not found.total:
        return _of_base(settings, run)
    asked = look_up(settings, run.dataset_id, (item["row"] for item in found.items))
    rows = [_row(item, asked.get(item["row"])) for item in found.items]
    more = int(found.next_cursor) if found.next_cursor else None
    return Answers(rows, found.total, order, offset, more, _counts(settings, run.id, found.total))


def _row(item: Prediction, asked: Row | None) -> HeldOutRow:
    return HeldOutRow(
        item["row"],
        asked.prompt if asked else item["prompt"],
        item["prompt"],
        item["reference"],
        _answer(item["base"], item["reference"], item["scores"]["base"].get("rouge_l")),
        _answer(item["finetuned"], item["reference"], item["scores"]["finetuned"].get("rouge_l")),
    )


def _answer(answer: str, reference: str, rouge_l: float | None) -> Answer:
    return Answer(_pieces(answer, reference), rouge_l)


@lru_cache(maxsize=500)
def _pieces(answer: str, reference: str) -> list[Piece]:
    return pieces(answer, reference)


def _counts(settings: Settings, run_id: int, total: int) -> Counts | None:
    if total > MOST_COUNTED:
        return None
    every = predictions.list_predictions(settings, run_id, limit=total).items
    gains = [gain for item in every if (gain := predictions.gain(item)) is not None]
    better, worse = sum(gain > SAME for gain in gains), sum(gain < -SAME for gain in gains)
    return Counts(better, worse, len(gains) - better - worse)


def _of_base(settings: Settings, run: Run) -> Answers:
    """The first rows that the base has answered; their questions and references are the data set's."""
    order = next(iter(ORDERS))
    file = settings.baselines_dir / f"{run.baseline_key}.json"
    if run.results or not run.baseline_key or not file.is_file():
        return Answers([], 0, order, 0, None)
    measured = _measured(file)
    asked = look_up(settings, run.dataset_id, (item["row"] for item in measured[:PAGE_ROWS]))
    rows = [
        HeldOutRow(
            item["row"],
            row.prompt,
            row.prompt,
            row.reference,
            _answer(item["answer"], row.reference, item["rouge_l"]),
            None,
        )
        for item in measured[:PAGE_ROWS]
        if (row := asked.get(item["row"])) is not None
    ]
    return Answers(rows, len(measured), order, 0, None)


@lru_cache(maxsize=8)
def _measured(file: Path) -> list[dict[str, Any]]:
    """A base's measurement is written once, under a name that says what of."""
    rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["rows"]
    return rows
