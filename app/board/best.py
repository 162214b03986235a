"""The best value of each result among the rows that compare in it: a tie marks both, and alone nothing is best."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlmodel import Session, col

from app.board.groups import PERPLEXITY, Slice, within
from app.board.order import first_values
from app.board.run_columns import Column
from app.board.wanted import Wanted
from app.board.whole_group import GroupRow
from app.models import Run

# By column and, for perplexity, by its key.
Best = Mapping[tuple[str, str | None], float]


def along_the_index(session: Session, wanted: Wanted, piece: Slice, shown: Iterable[Run]) -> Best:
    """Of a large group, as far as it concerns the runs that are shown."""
    scopes = {run.perplexity_key for run in shown}
    conditions = [*wanted.completed, *within(piece.key)]
    found: dict[tuple[str, str | None], float] = {}
    for column in wanted.compared:
        for scope in scopes if column.metric == PERPLEXITY else [None]:
            alike = [*conditions, col(Run.perplexity_key) == scope] if scope else conditions
            first = first_values(session, column, alike, piece.count, 2)
            if len(first) == 2:
                found[column.name, scope] = first[0]
    return found


def of_rows(columns: Sequence[Column], rows: Iterable[GroupRow]) -> Best:
    """Of all rows of a group."""
    known: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for row in rows:
        for column in columns:
            value = row.values[column.name]
            if value is not None:
                known[column.name, _scope(column, row.perplexity_key)].append(value)
    higher = {column.name for column in columns if column.direction == "higher"}
    return {key: (max if key[0] in higher else min)(values) for key, values in known.items() if len(values) > 1}


def marks(columns: Sequence[Column], run: Run, row: Mapping[str, Any], best: Best) -> frozenset[str]:
    """The columns in which the row is the best, or as good."""

    def is_best(column: Column) -> bool:
        # A mean in SQL and the same in Python may differ in the last bit.
        found = best.get((column.name, _scope(column, run.perplexity_key)), math.nan)
        return row[column.name] is not None and math.isclose(row[column.name], found, rel_tol=1e-12)

    return frozenset(column.name for column in columns if is_best(column))


def _scope(column: Column, perplexity_key: str | None) -> str | None:
    return perplexity_key if column.metric == PERPLEXITY else None
