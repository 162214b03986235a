"""The order of a large group's runs: which of them are on a page, by their ids, and which of a column comes first.

A metric's values stand in an index by size, and walking along it until a page is full meets few runs of other groups.
Of a small group it would meet too many others: app.board.whole_group reads those.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from app.board.groups import Slice, within
from app.board.run_columns import RUN_ID, Column, sql_value
from app.board.wanted import Wanted
from app.listing import Order
from app.models import Run, RunValue

# From so many runs on, a group is met along the index of 10,000 sooner than it is read whole.
MANY = 500


def run_ids(session: Session, wanted: Wanted, piece: Slice) -> list[int]:
    """Of the group's runs that are on the page."""
    conditions = [*wanted.completed, *within(piece.key)]
    if wanted.by.kind == "metric":
        walk = along(wanted.by, conditions, descending=wanted.descending)
        found = session.exec(walk.offset(piece.offset).limit(piece.limit)).all()
        if len(found) == piece.limit:  # else the page comes to runs without a value
            return [run_id for run_id, _ in found]
    order = Order(wanted.sort, sql_value(wanted.by), RUN_ID, wanted.descending)
    ordered = select(RUN_ID).where(*conditions).order_by(*order.clauses())
    return list(session.exec(ordered.offset(piece.offset).limit(piece.limit)))


def first_values(
    session: Session, by: Column, conditions: Sequence[ColumnElement[bool]], count: int, most: int
) -> list[float]:
    """The best values of a metric among `count` runs, `most` of them at most, the best one first."""
    descending = by.direction == "higher"
    if count >= MANY:
        return [value for _, value in session.exec(along(by, conditions, descending=descending).limit(most))]
    value = sql_value(by)
    ordered = select(value).where(*conditions).order_by((value.desc() if descending else value.asc()).nulls_last())
    return [found for found in session.exec(ordered.limit(most)) if found is not None]


def along(by: Column, conditions: Sequence[ColumnElement[bool]], *, descending: bool) -> Any:
    """Ids and values of the runs that have a value, in its order and then in theirs."""
    value, run_id = col(getattr(RunValue, by.aggregate)), col(RunValue.run_id)
    belongs = select(1).where(col(Run.id) == run_id, *conditions).correlate(RunValue).exists()
    walk = select(run_id, value).where(RunValue.name == by.metric, belongs)
    return walk.order_by(*((value.desc(), run_id.desc()) if descending else (value, run_id)))
