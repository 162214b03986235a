"""Which rows somebody asks for, and in which order."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.compare import marks, row_search
from app.compare.answers import AnswerFile
from app.compare.row_table import RowTable
from app.compare.sides import Side
from app.errors import Invalid, NotFound

# Name in the address -> what the link says.
SORTS: dict[str, str] = {
    "changed": "Most changed",
    "improved": "Most improved",
    "regressed": "Most regressed",
    "worst": "Worst",
    "disagreement": "Disagreement",
    "row": "In order",
}
# Of a text to look for.
MOST_LETTERS = 200


@dataclass(frozen=True)
class RowQuery:
    """`only` are names of marks that one answer must all have: of any run, or of the side named `of`."""

    sort: str = "changed"
    only: tuple[str, ...] = ()
    of: str = ""
    find: str = ""

    def check(self, table: RowTable) -> None:
        if self.sort not in SORTS:
            raise Invalid.one("sort", f"One of {', '.join(SORTS)}")
        if unknown := [name for name in self.only if name not in marks.BY_NAME]:
            raise Invalid.one("only", f"{unknown[0][:40]} is none of {', '.join(marks.BY_NAME)}")
        if self.of and self.of not in (names := [side.name for side in table.sides.every]):
            raise Invalid.one("of", f"{self.of[:40]} answered none of these rows; {', '.join(names[:8])} did")
        if len(self.find) > MOST_LETTERS:
            raise Invalid.one("find", f"At most {MOST_LETTERS} letters")


def find(table: RowTable, query: RowQuery) -> list[int]:
    """Numbers of the rows that are asked for, in order."""
    query.check(table)
    if not table.numbers:
        return []
    about = [side for side in table.sides.every if side.name == query.of] or list(table.sides.tuned)
    kept = [i for i, keep in enumerate(_has(table, query, about)) if keep]
    if query.find.strip():
        having = row_search.rows_with(_files(table), " ".join(query.find.split()))
        kept = [i for i in kept if table.numbers[i] in having]
    key = _key(table, query.sort, about)
    return [table.numbers[i] for i in sorted(kept, key=lambda i: (*_missing_last(key(i)), table.numbers[i]))]


def alone(table: RowTable, number: int) -> list[int]:
    """One row, whatever else is asked for."""
    if number not in table.numbers:
        raise NotFound(f"Row {number} is none of the held-out rows that these runs answered.")
    return [number]


def _has(table: RowTable, query: RowQuery, about: Sequence[Side]) -> list[bool]:
    """Whether one of these sides has an answer with all the marks."""
    wanted = frozenset(query.only)
    if not wanted:
        return [True] * len(table.numbers)
    columns = [table.marks(side) for side in about]
    return [any(wanted <= has for has in row) for row in zip(*columns, strict=True)]


def _key(table: RowTable, sort: str, about: Sequence[Side]) -> Callable[[int], float]:
    """Smallest first."""
    if sort == "row":
        return lambda i: table.numbers[i]
    if sort == "disagreement":
        apart = row_search.disagreement(_files(table))
        return lambda i: -apart.get(table.numbers[i], math.nan)
    if sort == "worst":
        sign = -1 if table.score == "perplexity" else 1
        means = [_mean(row) * sign for row in zip(*(table.values(side) for side in about), strict=True)]
        return means.__getitem__
    rows = list(zip(*(table.gains(side) for side in about), strict=True))
    keys: dict[str, Callable[[list[float]], float]] = {
        "changed": lambda gains: -max(map(abs, gains)),
        "improved": lambda gains: -max(gains),
        "regressed": min,
    }
    best = [keys[sort](known) if (known := [g for g in row if g == g]) else math.nan for row in rows]
    return best.__getitem__


def _missing_last(value: float) -> tuple[bool, float]:
    return (True, 0.0) if math.isnan(value) else (False, value)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else math.nan


def _files(table: RowTable) -> tuple[AnswerFile, ...]:
    return tuple(side.answers.file for side in table.sides.tuned)
