"""The order of a group's rows: which of them are on a page, by the ids of their runs.

A metric's values stand in an index by size. Walking along it until a page is full is quick where many of the runs that
it meets belong to the group; where few do, the group itself is sorted.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from app.board.groups import Slice, within
from app.board.replicates import IDENTITY, sql_mean
from app.board.run_columns import RUN_ID, Column, sql_value
from app.board.wanted import Wanted
from app.listing import Order
from app.models import Run, RunValue


def members(session: Session, wanted: Wanted, piece: Slice) -> list[list[int]]:
    """Of each row of the page, its runs, the first one first."""
    conditions = [*wanted.completed, *within(piece.key)]
    if wanted.by_configuration:
        return _configurations(session, wanted, conditions, piece)
    if wanted.by.kind == "metric" and meets_many(session, piece.count, piece.offset + piece.limit):
        walk = along(wanted.by, conditions, descending=wanted.descending)
        found = session.exec(walk.offset(piece.offset).limit(piece.limit)).all()
        if len(found) == piece.limit:  # else the page is about runs without a value, too
            return [[run_id] for run_id, _ in found]
    order = Order(wanted.sort, sql_value(wanted.by), RUN_ID, wanted.descending)
    ids = select(col(Run.id)).where(*conditions).order_by(*order.clauses())
    return [[run_id] for run_id in session.exec(ids.offset(piece.offset).limit(piece.limit)) if run_id]


def meets_many(session: Session, count: int, wanted: int) -> bool:
    """Whether `wanted` of `count` runs are met sooner along a metric's index than those runs are sorted."""
    newest = session.exec(select(func.max(Run.id))).one() or 0
    return wanted * newest < count * count


def along(by: Column, conditions: Sequence[ColumnElement[bool]], *, descending: bool) -> Any:
    """Ids and values of the runs that have a value, in its order and then in theirs."""
    value, run_id = col(getattr(RunValue, by.aggregate)), col(RunValue.run_id)
    belongs = select(1).where(col(Run.id) == run_id, *conditions).correlate(RunValue).exists()
    walk = select(run_id, value).where(RunValue.name == by.metric, belongs)
    return walk.order_by(*((value.desc(), run_id.desc()) if descending else (value, run_id)))


def _configurations(
    session: Session, wanted: Wanted, conditions: Sequence[ColumnElement[bool]], piece: Slice
) -> list[list[int]]:
    first = func.min(RUN_ID)
    order = Order(wanted.sort, first if wanted.by.name == "id" else sql_mean(wanted.by), first, wanted.descending)
    grouped = select(func.json_group_array(col(Run.id))).where(*conditions).group_by(*IDENTITY)
    page = session.exec(grouped.order_by(*order.clauses()).offset(piece.offset).limit(piece.limit))
    return [sorted(json.loads(ids)) for ids in page]
