"""Pages of a list: a cursor names the last row that was given, so that new rows never shift what follows."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, and_, or_

from app import json_text
from app.db import MAX_ID
from app.errors import Invalid

DEFAULT_LIMIT = 50
MAX_LIMIT = 1000

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    items: Sequence[T]
    next_cursor: str | None
    total: int


def parse_offset(cursor: str | None) -> int:
    """Of a list that does not change under its reader, the cursor is just a place in it."""
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 9:
        raise Invalid.one("cursor", "This cursor is not one of ours")
    return int(cursor)


@dataclass(frozen=True)
class Order:
    """By a value (missing ones last), then by id: a total order, so that a row stands for its place in it."""

    name: str  # as in `sort`
    value: ColumnElement[Any]
    id: ColumnElement[int]
    descending: bool

    def clauses(self) -> tuple[ColumnElement[Any], ...]:
        if self.value is self.id:
            return (self.id.desc() if self.descending else self.id,)  # an order that the table has already
        by_value, by_id = (self.value.desc(), self.id.desc()) if self.descending else (self.value.asc(), self.id)
        return by_value.nulls_last(), by_id

    def after(self, cursor: str) -> ColumnElement[bool]:
        """What comes after the row that the cursor names."""
        value, row_id = self._read(cursor)
        later_id = self.id < row_id if self.descending else self.id > row_id
        if self.value is self.id:
            return later_id
        if value is None:
            return and_(self.value.is_(None), later_id)
        beyond = self.value < value if self.descending else self.value > value
        return or_(beyond, and_(self.value == value, later_id), self.value.is_(None))

    def cursor(self, value: Any, row_id: int) -> str:
        text = json.dumps([self.name, value, row_id])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _read(self, cursor: str) -> tuple[str | float | None, int]:
        try:
            text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            name, value, row_id = json_text.parse(text)
        except (ValueError, TypeError):
            raise Invalid.one("cursor", "This cursor is not one of ours") from None
        known = isinstance(value, str | float | None) or _is_whole(value)
        if name != self.name or not known or not _is_whole(row_id):
            raise Invalid.one("cursor", "This cursor belongs to another order: start without one")
        return value, row_id


def _is_whole(value: Any) -> bool:
    """Whether the database can hold it as a whole number."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_ID
