"""All rows of a group, in order, with one statement: configurations, whose means no index knows, and small groups."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from app.board.groups import Key, within
from app.board.replicates import IDENTITY, sql_mean
from app.board.run_columns import RUN_ID, Column, sql_value
from app.board.wanted import Wanted
from app.listing import Order
from app.models import Run


@dataclass(frozen=True)
class GroupRow:
    """`ids` of its runs, the first one first; `values` by compared column, means where there are several runs."""

    ids: Sequence[int]
    perplexity_key: str | None
    values: Mapping[str, float | None]


def in_order(session: Session, wanted: Wanted, key: Key) -> list[GroupRow]:
    compared = {column: _value(wanted, column).label(f"value_{n}") for n, column in enumerate(wanted.compared)}
    first = func.min(RUN_ID) if wanted.by_configuration else RUN_ID
    ids = func.json_group_array(RUN_ID) if wanted.by_configuration else func.json_array(RUN_ID)
    # What is read anyway is not worked out again for the order.
    by = first if wanted.by.name == "id" else compared.get(wanted.by, _value(wanted, wanted.by))
    statement = select(ids, col(Run.perplexity_key), *compared.values()).where(*wanted.completed, *within(key))
    statement = statement.group_by(*IDENTITY) if wanted.by_configuration else statement
    found = session.execute(statement.order_by(*Order(wanted.sort, by, first, wanted.descending).clauses()))
    names = [column.name for column in compared]
    return [GroupRow(sorted(json.loads(ids)), scope, dict(zip(names, own, strict=True))) for ids, scope, *own in found]


def _value(wanted: Wanted, column: Column) -> ColumnElement[Any]:
    return sql_mean(column) if wanted.by_configuration else sql_value(column)
