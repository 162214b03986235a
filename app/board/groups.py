"""Which runs are ranked together: groups by what was asked of them, counted and cut into pages in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select
from sqlmodel import Session, col, func, select

from app.board.replicates import IDENTITY
from app.board.run_columns import column
from app.board.wanted import Wanted
from app.models import Run

PERPLEXITY = column("perplexity").metric


@dataclass(frozen=True)
class Key:
    """What a group shares; `perplexity_key` is None where several are in it."""

    fingerprint: str | None
    import_id: int | None = None
    perplexity_key: str | None = None


@dataclass(frozen=True)
class Slice:
    """A group before its rows are read: how many it has, its newest run, and which of its rows are on this page."""

    key: Key
    count: int
    newest: int
    offset: int
    limit: int


def within(key: Key) -> list[ColumnElement[bool]]:
    conditions = [
        col(Run.fingerprint).is_not_distinct_from(key.fingerprint),
        col(Run.import_id).is_not_distinct_from(key.import_id),
    ]
    if key.perplexity_key is not None:
        conditions.append(col(Run.perplexity_key) == key.perplexity_key)
    return conditions


def count(session: Session, wanted: Wanted) -> list[tuple[Key, int, int]]:
    """Each group with the number of its rows and its newest run, the newest group first."""
    names = ["fingerprint", "import_id", *(["perplexity_key"] if wanted.by.metric == PERPLEXITY else [])]
    keys: list[Any] = [col(getattr(Run, name)) for name in names]
    rows: Select[Any] = select(func.max(Run.id).label("newest"), *keys).where(*wanted.completed)
    if wanted.by_configuration:
        row = rows.group_by(*dict.fromkeys((*keys, *IDENTITY))).subquery().c
        keys = [row[name] for name in names]
        rows = select(func.max(row.newest).label("newest"), *keys)
    found = session.execute(rows.add_columns(func.count()).group_by(*keys))
    groups = [(Key(*key), number, newest) for newest, *key, number in found]
    return sorted(groups, key=lambda group: -group[2])


def cut(counted: Sequence[tuple[Key, int, int]], offset: int, limit: int) -> list[Slice]:
    """Which rows of which group lie between `offset` and `offset + limit` of all."""
    slices, start = [], 0
    for key, number, newest in counted:
        first, last = max(offset, start), min(offset + limit, start + number)
        if first < last:
            slices.append(Slice(key, number, newest, first - start, last - first))
        start += number
    return slices
