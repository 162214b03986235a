"""Which runs are ranked together: groups by what was asked of them, counted and cut into pages in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from app.board.replicates import IDENTITY
from app.board.run_filter import ITS_EXPERIMENT, RunFilter
from app.models import Experiment, Run
from app.status import RunStatus


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


def completed(runs: RunFilter) -> list[ColumnElement[bool]]:
    return [*runs.conditions(), col(Run.status) == RunStatus.COMPLETED]


def within(key: Key) -> list[ColumnElement[bool]]:
    conditions = [
        col(Run.fingerprint).is_not_distinct_from(key.fingerprint),
        col(Run.import_id).is_not_distinct_from(key.import_id),
    ]
    if key.perplexity_key is not None:
        conditions.append(col(Run.perplexity_key) == key.perplexity_key)
    return conditions


def count(
    session: Session, runs: RunFilter, *, by_perplexity: bool, by_configuration: bool
) -> list[tuple[Key, int, int]]:
    """Each group with the number of its rows and its newest run, the newest group first."""
    keys = [col(Run.fingerprint), col(Run.import_id)]
    if by_perplexity:
        keys.append(col(Run.perplexity_key))
    newest = func.max(col(Run.id))
    rows = func.count(IDENTITY.distinct()) if by_configuration else func.count()
    statement = select(rows, newest, *keys).select_from(Run).join(Experiment, ITS_EXPERIMENT)
    statement = statement.where(*completed(runs))
    found = session.execute(statement.group_by(*keys).order_by(newest.desc()))
    return [(Key(*key), number, run_id) for number, run_id, *key in found]


def cut(counted: Sequence[tuple[Key, int, int]], offset: int, limit: int) -> list[Slice]:
    """Which rows of which group lie between `offset` and `offset + limit` of all."""
    slices, start = [], 0
    for key, number, newest in counted:
        first, last = max(offset, start), min(offset + limit, start + number)
        if first < last:
            slices.append(Slice(key, number, newest, first - start, last - first))
        start += number
    return slices
