"""The answers of each side counted: how many are better, worse, repeated, cut off; and the same in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.compare.marks import BETTER, CUT, MARKS, OWN, SAME_TEXT, WORSE, Mark
from app.compare.row_table import RowTable
from app.compare.sides import Side
from app.web.numbers import number

# More lines than these are folded: the rows themselves come first.
MOST_LINES = 6


@dataclass(frozen=True)
class Line:
    """`counts` in the order of MARKS; None: not known, or set against nothing."""

    side: Side
    rows: int
    words: float | None
    counts: dict[Mark, int | None]


def lines(table: RowTable) -> list[Line]:
    return [_line(table, side) for side in table.sides.every]


def sentence(table: RowTable, found: list[Line], labels: Mapping[str, str], score: str) -> str:
    """Who gained most, in rows. Empty where nothing can be set against anything."""
    judged = [line for line in found if line.counts[BETTER] is not None]
    if not judged:
        return ""
    best = max(judged, key=lambda line: (line.counts[BETTER] or 0) - (line.counts[WORSE] or 0))
    better, worse, same = (best.counts[mark] or 0 for mark in (BETTER, WORSE, SAME_TEXT))
    against = labels[table.sides.baseline.name] if table.sides.baseline else "its base model"
    name = labels[best.side.name] if len(table.sides.tuned) > 1 else best.side.run.name
    if len(judged) == 1:
        start = f"Against {against}, {name} is"
    elif better > worse:
        start = f"Of {len(judged)} runs {name} gains most against {against}:"
    else:
        start = f"None of {len(judged)} runs gains against {against}; {name} comes closest:"
    text = f"{start} better by {score} on {number(better)} of {number(best.rows)} rows, worse on {number(worse)}"
    alike = "1 answer is" if same == 1 else f"{number(same)} answers are"
    return f"{text}; {alike} word for word the same." if same else f"{text}."


def _line(table: RowTable, side: Side) -> Line:
    rows, tally, is_judged = table.answered(side), table.tally(side), side.compares(table.score)
    words = [side.answers.words[place] for place in table.places[side.name] if place >= 0]
    counts = {mark: tally[mark.name] if _is_known(side, mark, is_judged=is_judged) else None for mark in MARKS}
    return Line(side, rows, sum(words) / len(words) if words else None, counts)


def _is_known(side: Side, mark: Mark, *, is_judged: bool) -> bool:
    if mark is CUT:
        return any(side.answers.ends_known)
    return mark in OWN or (side.before is not None if mark is SAME_TEXT else is_judged)
