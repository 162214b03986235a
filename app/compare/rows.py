"""Rows with their texts: prompt, reference, and what each side answered, scored and set against another answer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.compare import answers, marks
from app.compare.row_table import RowTable
from app.compare.sides import Side
from app.data.row_lookup import look_up
from app.metrics import BY_SHORT
from app.predictions import Prediction
from app.settings import Settings

# What a row alone has: BLEU is a corpus's.
SCORES = tuple(BY_SHORT[short] for short in ("rouge_l", "perplexity"))


@dataclass(frozen=True)
class Answer:
    """One side's answer to a row; scores are None where they are not known.

    `gains` are by score, above 0 is better: of ROUGE-L the difference, of perplexity nats a token.
    """

    side: Side
    text: str
    scores: dict[str, float | None]
    gains: dict[str, float | None]
    words: int
    repetition: float
    marks: tuple[str, ...]
    before: str | None  # the text that it is set against


@dataclass(frozen=True)
class Row:
    """`answers` in the order of the sides; None: that side was not asked this row.

    `prompt` is the exact text that the model was given; `question` what the data set's row asks, None where it is gone.
    """

    number: int
    question: str | None
    prompt: str
    reference: str
    answers: tuple[Answer | None, ...]


def read(settings: Settings, table: RowTable, numbers: Sequence[int]) -> list[Row]:
    """The rows with all their texts."""
    lead = table.sides.lead
    if lead is None or not numbers:
        return []
    at = {number: place for place, number in enumerate(table.numbers)}
    lines = {side.name: _lines(table, side, [at[n] for n in numbers]) for side in table.sides.every}
    marked = {side.name: table.marks(side) for side in table.sides.every}
    questions = look_up(settings, lead.run.dataset_id, numbers)
    found = []
    for place, number in enumerate(numbers):
        shown = tuple(_answer(side, lines, place, marked[side.name][at[number]]) for side in table.sides.every)
        asked, row = lines[lead.name][place] or {}, questions.get(number)
        found.append(Row(number, row.prompt if row else None, asked["prompt"], asked["reference"], shown))
    return found


def _lines(table: RowTable, side: Side, at: Sequence[int]) -> list[Prediction | None]:
    places = [table.places[side.name][i] for i in at]
    there = iter(answers.lines(side.answers.file, [side.answers.offset[place] for place in places if place >= 0]))
    return [next(there) if place >= 0 else None for place in places]


def _answer(side: Side, lines: dict[str, list[Prediction | None]], place: int, marked: frozenset[str]) -> Answer | None:
    line = lines[side.name][place]
    if line is None:
        return None
    before = lines[side.before.name][place] if side.before else None
    ours = line["scores"][side.model]
    theirs = before["scores"][side.before.model] if before and side.before else {}
    row = side.answers.place[line["row"]]
    return Answer(
        side,
        line[side.model],
        {"rouge_l": ours.get("rouge_l"), "perplexity": _perplexity(ours)},
        {score.short: _gain(side, score.short, ours, theirs) for score in SCORES},
        side.answers.words[row],
        side.answers.repetition[row],
        tuple(name for name in marks.BY_NAME if name in marked),
        before[side.before.model] if before and side.before else None,
    )


def _perplexity(scores: dict[str, Any]) -> float | None:
    loss = answers.loss(scores)
    return math.exp(loss) if loss < 700 else None


def _gain(side: Side, short: str, ours: dict[str, Any], theirs: dict[str, Any]) -> float | None:
    if not side.compares(short):
        return None
    if short == "perplexity":
        gain = answers.loss(theirs) - answers.loss(ours)
        return None if math.isnan(gain) else gain
    after, before = ours.get(short), theirs.get(short)
    return None if after is None or before is None else after - before
