"""The experiment table: runs with results, ranked among those that were asked the same.

What may be compared: BLEU and ROUGE-L within one `fingerprint`, perplexity within one `perplexity_key` (part of it).
So the runs of one fingerprint are a group; sorted by perplexity, the runs of one perplexity key are. Results from
elsewhere have neither: those of one import are a group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from app import metrics
from app.comparability import describe, difference
from app.listing import DEFAULT_LIMIT, Order, parse_offset
from app.models import Experiment, ResultImport, Run, RunValue
from app.run_columns import RUN_ID, TABLE, Column, column, parse_sort, sql_value, values
from app.run_filter import ITS_EXPERIMENT, RunFilter
from app.status import RunStatus

BEST_PERPLEXITY_FIRST = "eval/perplexity"
MOST_UNRANKED = 50
MOST_BASES = 5


@dataclass(frozen=True)
class Key:
    """What a group shares; `perplexity_key` is None where several are in it."""

    fingerprint: str | None
    import_id: int | None = None
    perplexity_key: str | None = None


@dataclass(frozen=True)
class BaseRow:
    """A base model's own figures, to stand under the runs that started from it."""

    baseline_key: str
    base_model: str
    quantization: str
    metrics: dict[str, float | None]


@dataclass(frozen=True)
class RankedRow:
    """`best` names the metrics in which no comparable run is better; `rank` is None where the sort ranks nothing."""

    run: Run
    experiment: Experiment
    values: dict[str, Any]
    rank: int | None = None
    best: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Group:
    """Runs that compare with each other. `reason` says why they are apart from the first group, whose own is empty."""

    key: Key
    count: int
    shares: str
    reason: str
    rows: list[RankedRow]
    bases: list[BaseRow]


@dataclass(frozen=True)
class Leaderboard:
    columns: Sequence[Column]
    sort: str
    groups: list[Group]
    unranked: list[RankedRow]
    total: int
    next_cursor: str | None


@dataclass(frozen=True)
class _Slice:
    """A group before its rows are read: how many it has, its newest run, and which of its rows are on this page."""

    key: Key
    count: int
    newest: int
    offset: int
    limit: int


def build(
    session: Session,
    runs: RunFilter | None = None,
    *,
    sort: str = BEST_PERPLEXITY_FIRST,
    columns: Sequence[Column] = TABLE,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Leaderboard:
    """The groups, the one with the newest result first, with `limit` rows in all from `cursor` on."""
    runs = runs or RunFilter()
    sorted_by, _ = parse_sort(sort)
    offset = parse_offset(cursor)
    counted = _count_groups(session, runs, by_perplexity=sorted_by == column("perplexity"))
    total = sum(count for _, count, _ in counted)
    slices = _slices(counted, offset, limit)
    groups = _read_groups(session, runs, slices, counted[0][2] if counted else None, sort, columns)
    more = str(offset + limit) if offset + limit < total else None
    unranked = [] if offset else _unranked(session, runs, columns)
    return Leaderboard(columns, sort, groups, unranked, total, more)


def _completed(runs: RunFilter) -> list[ColumnElement[bool]]:
    return [*runs.conditions(), col(Run.status) == RunStatus.COMPLETED]


def _within(key: Key) -> list[ColumnElement[bool]]:
    conditions = [
        col(Run.fingerprint).is_not_distinct_from(key.fingerprint),
        col(Run.import_id).is_not_distinct_from(key.import_id),
    ]
    if key.perplexity_key is not None:
        conditions.append(col(Run.perplexity_key) == key.perplexity_key)
    return conditions


def _count_groups(session: Session, runs: RunFilter, *, by_perplexity: bool) -> list[tuple[Key, int, int]]:
    keys = [col(Run.fingerprint), col(Run.import_id), *([col(Run.perplexity_key)] if by_perplexity else [])]
    newest = func.max(col(Run.id))
    statement = (
        select(func.count(), newest, *keys).select_from(Run).join(Experiment, ITS_EXPERIMENT).where(*_completed(runs))
    )
    found = session.execute(statement.group_by(*keys).order_by(newest.desc()))
    return [(Key(*key), count, run_id) for count, run_id, *key in found]


def _slices(counted: Sequence[tuple[Key, int, int]], offset: int, limit: int) -> list[_Slice]:
    """Which rows of which group lie between `offset` and `offset + limit` of all."""
    slices, start = [], 0
    for key, count, newest in counted:
        first, last = max(offset, start), min(offset + limit, start + count)
        if first < last:
            slices.append(_Slice(key, count, newest, first - start, last - first))
        start += count
    return slices


def _read_groups(
    session: Session,
    runs: RunFilter,
    slices: Sequence[_Slice],
    leader: int | None,
    sort: str,
    columns: Sequence[Column],
) -> list[Group]:
    groups = []
    first = session.get(Run, leader) if leader else None
    for piece in slices:
        newest = session.get(Run, piece.newest)
        assert first is not None
        assert newest is not None
        reason = difference(session, newest, first) if newest is not first else ""
        rows = _rows(session, runs, piece, sort, columns)
        bases = _bases(session, runs, piece.key)
        groups.append(Group(piece.key, piece.count, describe(session, newest), reason, rows, bases))
    return groups


def _rows(session: Session, runs: RunFilter, piece: _Slice, sort: str, columns: Sequence[Column]) -> list[RankedRow]:
    sorted_by, descending = parse_sort(sort)
    order = Order(sort, sql_value(sorted_by), RUN_ID, descending)
    statement = select(Run, Experiment).join(Experiment, ITS_EXPERIMENT).where(*_completed(runs), *_within(piece.key))
    found = session.exec(statement.order_by(*order.clauses()).offset(piece.offset).limit(piece.limit)).all()
    best = _best(session, runs, piece.key)
    cells = values(session, found, [*columns, *(column(metric.name) for metric in metrics.COMPARED)])
    ranks = sorted_by.direction is not None and descending == (sorted_by.direction == "higher")
    rows = []
    for place, (run, experiment) in enumerate(found, start=piece.offset + 1):
        row = cells[run.id or 0]
        rank = place if ranks and row.get(sorted_by.name) is not None else None
        rows.append(RankedRow(run, experiment, row, rank, _marks(run, row, best)))
    return rows


# The best value of a metric among the runs that compare in it: by metric and, for perplexity, by its key.
Best = Mapping[tuple[str, str | None], float]


def _best(session: Session, runs: RunFilter, key: Key) -> Best:
    """Of metrics that at least two runs of the group have: alone, nothing is best."""
    found: dict[tuple[str, str | None], float] = {}
    for metric in metrics.COMPARED:
        scope = [col(Run.perplexity_key)] if metric.short == "perplexity" else []
        value = (func.min if metric.direction == "lower" else func.max)(col(RunValue.last))
        statement = (
            select(value, *scope)
            .select_from(Run)
            .join(Experiment, ITS_EXPERIMENT)
            .join(RunValue, (col(RunValue.run_id) == col(Run.id)) & (col(RunValue.name) == metric.name))
            .where(*_completed(runs), *_within(key))
            .group_by(*scope)
            .having(func.count() > 1)
        )
        for best, *of_key in session.execute(statement):
            found[metric.name, of_key[0] if of_key else None] = best
    return found


def _marks(run: Run, row: Mapping[str, Any], best: Best) -> frozenset[str]:
    def is_best(name: str) -> bool:
        scope = run.perplexity_key if name == BEST_PERPLEXITY_FIRST else None
        return row[name] is not None and row[name] == best.get((name, scope))

    return frozenset(metric.name for metric in metrics.COMPARED if is_best(metric.name))


def _bases(session: Session, runs: RunFilter, key: Key) -> list[BaseRow]:
    """The base models of the group, the one with most runs first."""
    if key.import_id is not None:
        return _stated_base(session, key.import_id)
    statement = (
        select(func.max(col(Run.id)))
        .select_from(Run)
        .join(Experiment, ITS_EXPERIMENT)
        .where(*_completed(runs), *_within(key), col(Run.baseline_key).is_not(None))
        .group_by(col(Run.baseline_key))
        .order_by(func.count().desc())
        .limit(MOST_BASES)
    )
    ids = session.exec(statement).all()
    found = (session.get(Run, run_id) for run_id in ids if run_id is not None)
    return [_base(run) for run in found if run and run.results and run.results.get("base")]


def _stated_base(session: Session, import_id: int) -> list[BaseRow]:
    """What an import says of its base."""
    found = session.get(ResultImport, import_id)
    if found is None or not found.base:
        return []
    return [BaseRow("", str(found.setup.get("base_model") or ""), "", dict(found.base))]


def _base(run: Run) -> BaseRow:
    model = run.config.get("model", {}).get("base_model", "")
    method = run.config.get("quantization", {}).get("method", "")
    return BaseRow(run.baseline_key or "", model, method, dict((run.results or {})["base"]))


def _unranked(session: Session, runs: RunFilter, columns: Sequence[Column]) -> list[RankedRow]:
    """Runs without a result, newest first."""
    open_runs = [*runs.conditions(), col(Run.status).in_(set(RunStatus) - {RunStatus.COMPLETED})]
    statement = select(Run, Experiment).join(Experiment, ITS_EXPERIMENT).where(*open_runs).order_by(col(Run.id).desc())
    found = session.exec(statement.limit(MOST_UNRANKED)).all()
    cells = values(session, found, columns)
    return [RankedRow(run, experiment, cells[run.id or 0]) for run, experiment in found]
