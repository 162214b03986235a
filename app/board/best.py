"""The best value of each result among the rows that compare in it: a tie marks both, and alone nothing is best."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from app.board.groups import PERPLEXITY, Key, within
from app.board.order import along, meets_many
from app.board.replicates import IDENTITY, sql_mean
from app.board.run_columns import Column, sql_value
from app.board.wanted import Wanted
from app.models import Run

# By column and, for perplexity, by its key.
Best = Mapping[tuple[str, str | None], float]


def best(session: Session, wanted: Wanted, key: Key, count: int, shown: Iterable[Run]) -> Best:
    """Of the group of `count` rows, as far as it concerns the runs that are shown."""
    scopes = {run.perplexity_key for run in shown}
    found: dict[tuple[str, str | None], float] = {}
    for column in wanted.compared:
        for scope in scopes if column.metric == PERPLEXITY else {None}:
            alike = [col(Run.perplexity_key) == scope] if scope else []
            first = _first_two(session, wanted, column, [*wanted.completed, *within(key), *alike], count)
            if len(first) == 2:
                found[column.name, scope] = first[0]
    return found


def _first_two(
    session: Session, wanted: Wanted, column: Column, conditions: Sequence[ColumnElement[bool]], count: int
) -> list[float]:
    descending = column.direction == "higher"
    if not wanted.by_configuration and meets_many(session, count, 2):
        return [value for _, value in session.exec(along(column, conditions, descending=descending).limit(2))]
    value = sql_mean(column) if wanted.by_configuration else sql_value(column)
    rows = select(value).where(*conditions)
    rows = rows.group_by(*IDENTITY) if wanted.by_configuration else rows
    ordered = rows.order_by((value.desc() if descending else value.asc()).nulls_last())
    return [value for value in session.exec(ordered.limit(2)) if value is not None]


def marks(columns: Sequence[Column], run: Run, row: Mapping[str, Any], best: Best) -> frozenset[str]:
    def is_best(column: Column) -> bool:
        found = best.get((column.name, run.perplexity_key if column.metric == PERPLEXITY else None))
        # A mean in SQL and the same in Python may differ in the last bit.
        return None not in (found, row[column.name]) and math.isclose(row[column.name], found or 0, rel_tol=1e-12)

    return frozenset(column.name for column in columns if is_best(column))
