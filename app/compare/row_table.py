"""The held-out rows of all sides in one order, so that a column is a list: scores, gains and marks of every answer."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.compare.answers import Answers
from app.compare.marks import BETTER, SAME, SAME_TEXT, WORSE
from app.compare.sides import Side, Sides

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RowTable:
    """`score` is `rouge_l` or `perplexity`.

    `places` has for each side where each row stands in its answers; -1: it was not asked that row.
    """

    sides: Sides
    score: str
    numbers: Sequence[int]
    places: dict[str, list[int]]

    @classmethod
    def of(cls, sides: Sides, score: str) -> "RowTable":
        lead = sides.lead
        if lead is None:
            return cls(sides, score, (), {})
        places = {side.name: _places(side.answers, lead.answers) for side in sides.every}
        return cls(sides, score, tuple(lead.answers.place), places)

    def gains(self, side: Side) -> list[float]:
        """How much better than what it is set against, row by row; above 0 is better, NaN is not known."""
        if side.before is None or not side.compares(self.score):
            return [math.nan] * len(self.numbers)
        ours, theirs = self.values(side), self.values(side.before)
        if self.score == "rouge_l":
            return [after - before for after, before in zip(ours, theirs, strict=True)]
        return [before - after for after, before in zip(ours, theirs, strict=True)]

    def values(self, side: Side) -> list[float]:
        """ROUGE-L, or the loss in place of the perplexity, which is its exponential."""
        column = side.answers.rouge_l if self.score == "rouge_l" else side.answers.loss
        return [column[place] if place >= 0 else math.nan for place in self.places[side.name]]

    def marks(self, side: Side) -> list[frozenset[str]]:
        """The names of all marks of each of a side's answers."""
        gains, same = self.gains(side), self._same_text(side)
        own = (side.answers.marks[place] if place >= 0 else NOTHING for place in self.places[side.name])
        return [marks | _judged(gain, is_same=is_same) for marks, gain, is_same in zip(own, gains, same, strict=True)]

    def tally(self, side: Side) -> Counter[str]:
        """How many of a side's answers have each mark."""
        return Counter(name for marks in self.marks(side) for name in marks)

    def answered(self, side: Side) -> int:
        return sum(place >= 0 for place in self.places[side.name])

    def _same_text(self, side: Side) -> list[bool]:
        if side.before is None:
            return [False] * len(self.numbers)
        ours, theirs = side.answers.text, side.before.answers.text
        places = zip(self.places[side.name], self.places[side.before.name], strict=True)
        return [i >= 0 and j >= 0 and ours[i] == theirs[j] for i, j in places]


def _judged(gain: float, *, is_same: bool) -> frozenset[str]:
    names = {BETTER.name: gain > SAME, WORSE.name: gain < -SAME, SAME_TEXT.name: is_same}
    return frozenset(name for name, is_so in names.items() if is_so)


def _places(answers: Answers, lead: Answers) -> list[int]:
    """A row of the same number but another reference is another row: its data set was another."""
    found = ((answers.place.get(number, -1), place) for number, place in lead.place.items())
    return [ours if ours >= 0 and answers.reference[ours] == lead.reference[place] else -1 for ours, place in found]
