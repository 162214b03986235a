"""A row as the page shows it: every different answer once, with the sides that gave it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from app.compare import word_diff
from app.compare.marks import BY_NAME, OWN, REPEATS, SAME, Mark
from app.compare.rows import Answer, Row
from app.compare.word_diff import Piece
from app.web.numbers import share

# Different answers to a row that are shown at once; the others are a click away.
MOST_CELLS = 12

# Beyond this a change of the perplexity is no number that says anything.
MOST_NATS = 20.0


@dataclass(frozen=True)
class Tag:
    """A mark in words, with the rule behind it."""

    mark: Mark
    text: str


@dataclass(frozen=True)
class Cell:
    """One text and who gave it."""

    answers: tuple[Answer, ...]
    pieces: tuple[Piece, ...]

    @property
    def first(self) -> Answer:
        return self.answers[0]

    @property
    def length(self) -> int:
        return sum(len(piece.text) for piece in self.pieces)

    @property
    def perplexity(self) -> tuple[float, float] | None:
        """The lowest and the highest of those who gave it: it is of the reference and not of the answer."""
        known = [value for answer in self.answers if (value := answer.scores["perplexity"]) is not None]
        return (min(known), max(known)) if known else None

    @property
    def gain(self) -> float | None:
        """In ROUGE-L, where it is the same for all who gave the answer; a difference no one would see is none."""
        gains = {answer.gains["rouge_l"] for answer in self.answers if answer.side.before is not None}
        gain = gains.pop() if len(gains) == 1 else None
        return 0.0 if gain is not None and abs(gain) <= SAME else gain

    @property
    def perplexity_change(self) -> float | None:
        """Relative, of a single answer: -0.12 is 12 % less."""
        gain = self.first.gains["perplexity"]
        if len(self.answers) > 1 or gain is None or abs(gain) > MOST_NATS:
            return None
        return 0.0 if abs(gain) <= SAME else math.expm1(-gain)

    @property
    def tags(self) -> list[Tag]:
        own = {mark.name for mark in OWN}
        return [_tag(BY_NAME[name], self.first) for name in self.first.marks if name in own]


def of_row(row: Row, diff: str, *, together: bool) -> list[Cell | None]:
    """A cell a side, or, `together`, every text once: the base's, the baseline's, then what most said."""
    if not together:
        return [_cell(row, (answer,), diff) if answer else None for answer in row.answers]
    groups: dict[str, list[Answer]] = {}
    for answer in filter(None, row.answers):
        groups.setdefault(answer.text, []).append(answer)
    return [_cell(row, answers, diff) for answers in sorted(groups.values(), key=_place)]


def _place(answers: Sequence[Answer]) -> tuple[bool, bool, int]:
    return answers[0].side.model != "base", all(answer.side.before for answer in answers), -len(answers)


def _cell(row: Row, answers: Sequence[Answer], diff: str) -> Cell:
    first = next((answer for answer in answers if answer.before is not None), answers[0])
    return Cell(tuple(answers), _pieces(first.text, row.reference, first.before, diff))


@lru_cache(maxsize=2000)
def _pieces(answer: str, reference: str, before: str | None, diff: str) -> tuple[Piece, ...]:
    return tuple(word_diff.pieces(answer, reference, before, diff))


def _tag(mark: Mark, answer: Answer) -> Tag:
    return Tag(mark, f"repeats {share(answer.repetition)}" if mark is REPEATS else mark.label.lower())
