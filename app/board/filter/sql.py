"""A filter's tree as conditions over Run. Whatever was typed is a bound parameter."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, String, TableValuedAlias, and_, false, func, not_, or_, select, true, type_coerce
from sqlmodel import col

from app.board.filter.kinds import kind
from app.board.filter.syntax import Ago, Comparison, Either, Every, Mention, Node, Not, Operator, Period, Value
from app.board.run_columns import EXPERIMENT_NAME, Column, column, sql_value
from app.db import now
from app.models import Run

ESCAPE = "\\"
TAGS = column("tags")
SEARCHED = tuple(map(column, ("name", "notes", "experiment")))
Condition = ColumnElement[bool]
COMPARE: Mapping[Operator, Callable[[Any, Any], Condition]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def condition(node: Node) -> Condition:
    """True where the filter finds the run; NULL, which finds nothing, where it compares with a missing value."""
    match node:
        case Mention():
            return _mentions(node.text)
        case Not():
            return condition(node.of).is_not(true())  # of NULL: true
        case Every():
            return and_(*map(condition, node.parts))
        case Either():
            return or_(*map(condition, node.parts))
        case Comparison():
            return (_of_list if kind(node.column) == "list" else _of_value)(node)


def _mentions(word: str) -> Condition:
    own = (_contains(_value(column), word) for column in SEARCHED)
    return or_(*own, _some(_items(TAGS), lambda tag: _contains(tag, word)))


def _of_value(node: Comparison) -> Condition:
    value = _value(node.column)
    if node.operator not in ("in", "not in"):
        return _compare(value, node.operator, node.values[0])
    others = [_plain(other) for other in node.values if other is not None]
    if node.operator == "not in":
        return and_(value.is_not(None), value.not_in(others))
    return or_(value.in_(others), value.is_(None)) if None in node.values else value.in_(others)


def _value(column: Column) -> ColumnElement[Any]:
    """As it is stored: what tables sort by has its capitals made small."""
    if column.kind != "run":
        return sql_value(column)
    if column.name == "experiment":
        return EXPERIMENT_NAME
    stored: Any = getattr(Run, column.name)
    # No notes and a note that is empty are the same.
    return func.nullif(stored, "") if column.name == "notes" else type_coerce(stored, stored.type)


def _compare(value: ColumnElement[Any], sign: Operator, other: Value) -> Condition:
    if other is None:
        return value.is_(None) if sign == "=" else value.is_not(None)
    if isinstance(other, Period | Ago):
        return _compare_time(value, sign, other)
    if sign == "~":
        return _contains(value, str(other))
    return COMPARE[sign](value, _plain(other))


def _plain(other: Value) -> Any:
    """As the database has it, to which true is 1."""
    return int(other) if isinstance(other, bool) else other


def _compare_time(value: ColumnElement[Any], sign: Operator, other: Period | Ago) -> Condition:
    """After a day is after its end, before it is before its begin, and equal is within."""
    start, end = (now() - other.span,) * 2 if isinstance(other, Ago) else (other.start, other.end)
    match sign:
        case "<" | ">=":
            return COMPARE[sign](value, start)
        case "<=":
            return value < end
        case ">":
            return value >= end
        case "!=":
            return or_(value < start, value >= end)
        case _:
            return and_(value >= start, value < end)


def _of_list(node: Comparison) -> Condition:
    """A comparison looks for an item; `!=` and `not in` for a list without such an item, which may be empty."""
    items = _items(node.column)
    sign: Operator = "~" if node.operator == "~" else "="
    texts = [other for other in node.values if other is not None]
    found = _some(items, lambda item: or_(false(), *(_compare(item, sign, text) for text in texts)))
    known = _some(items, lambda item: item.is_not(None))
    if None in node.values:
        found = or_(found, not_(known))
    if node.operator not in ("!=", "not in"):
        return found
    return not_(found) if node.column.kind == "run" else and_(known, not_(found))


def _items(column: Column) -> TableValuedAlias:
    """The tags, or what is in a setting that is a list; where that is a text, the text."""
    if column.kind == "run":
        return func.json_each(col(Run.tags)).table_valued("value", name="item")
    group, _, field = column.name.partition(".")
    return func.json_each(col(Run.config), f'$."{group}"."{field}"').table_valued("value", name="item")


def _some(items: TableValuedAlias, holds: Callable[[ColumnElement[str]], Condition]) -> Condition:
    """Whether it holds for at least one item."""
    return select(1).select_from(items).where(holds(items.c.value.cast(String))).exists()


def _contains(value: ColumnElement[Any], text: str) -> Condition:
    for special in (ESCAPE, "%", "_"):
        text = text.replace(special, ESCAPE + special)
    return value.like(f"%{text}%", escape=ESCAPE)
