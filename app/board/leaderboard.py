"""The experiment table: runs with results, ranked among those that were asked the same.

What may be compared: BLEU and ROUGE-L within one `fingerprint`, perplexity within one `perplexity_key` (part of it).
So the runs of one fingerprint are a group; sorted by perplexity, the runs of one perplexity key are. Results from
elsewhere have neither: those of one import are a group.

A row is a run, or a configuration: the mean of runs that differ in nothing but their seed (app.board.replicates).
"""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, func, select

from app import metrics
from app.board import groups
from app.board.comparability import describe, difference
from app.board.groups import Key, Slice, completed, cut, within
from app.board.replicates import IDENTITY, Replicates, combine, sql_mean
from app.board.run_columns import RUN_ID, TABLE, Column, column, parse_sort, sql_value, values
from app.board.run_filter import ITS_EXPERIMENT, RunFilter
from app.listing import DEFAULT_LIMIT, Order, parse_offset
from app.models import Experiment, ResultImport, Run, RunValue
from app.statistics.significance import Interval
from app.status import RunStatus

BEST_PERPLEXITY_FIRST = "eval/perplexity"
MOST_UNRANKED = 50
MOST_BASES = 5


@dataclass(frozen=True)
class BaseRow:
    """A base model's own figures, to stand under the runs that started from it."""

    baseline_key: str
    base_model: str
    quantization: str
    metrics: dict[str, float | None]


@dataclass(frozen=True)
class Delta:
    """A row less the pinned run, `relative` as a share of that run's value; no `interval`: the spread is unknown."""

    absolute: float
    relative: float | None
    interval: Interval | None = None


@dataclass(frozen=True)
class RankedRow:
    """`best` names the columns in which no comparable row is better; `rank` is None where the sort ranks nothing.

    A configuration's `run` is its first one; its `values` are means. `deltas` are by column (app.board.deltas).
    """

    run: Run
    experiment: Experiment
    values: dict[str, Any]
    rank: int | None = None
    best: frozenset[str] = frozenset()
    replicates: Replicates | None = None
    deltas: Mapping[str, Delta] = field(default_factory=dict)

    @property
    def runs(self) -> Sequence[Run]:
        """The runs that the row stands for."""
        return self.replicates.runs if self.replicates else [self.run]


@dataclass(frozen=True)
class Group:
    """Rows that compare with each other. `reason` says why they are apart from the first group, whose own is empty."""

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
class _Wanted:
    """What was asked for: which runs, as which rows, in which order, with which columns."""

    runs: RunFilter
    by_configuration: bool
    sort: str
    columns: Sequence[Column]

    @property
    def read(self) -> Sequence[Column]:
        """The columns to read: those to show, and what is compared."""
        return [*self.columns, *(column(metric.name) for metric in metrics.COMPARED)]

    def order(self) -> Order:
        by, descending = parse_sort(self.sort)
        if not self.by_configuration:
            return Order(self.sort, sql_value(by), RUN_ID, descending)
        first = func.min(RUN_ID)
        return Order(self.sort, first if by.name == "id" else sql_mean(by), first, descending)


def build(
    session: Session,
    runs: RunFilter | None = None,
    *,
    sort: str = BEST_PERPLEXITY_FIRST,
    columns: Sequence[Column] = TABLE,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    by_configuration: bool = False,
) -> Leaderboard:
    """The groups, the one with the newest result first, with `limit` rows in all from `cursor` on."""
    wanted = _Wanted(runs or RunFilter(), by_configuration, sort, columns)
    offset = parse_offset(cursor)
    counted = groups.count(
        session,
        wanted.runs,
        by_perplexity=parse_sort(sort)[0] == column("perplexity"),
        by_configuration=by_configuration,
    )
    total = sum(count for _, count, _ in counted)
    slices = cut(counted, offset, limit)
    found = _read_groups(session, wanted, slices, counted[0][2] if counted else None)
    more = str(offset + limit) if offset + limit < total else None
    unranked = [] if offset else _unranked(session, wanted)
    return Leaderboard(columns, sort, found, unranked, total, more)


def _read_groups(session: Session, wanted: _Wanted, slices: Sequence[Slice], leader: int | None) -> list[Group]:
    groups = []
    first = session.get(Run, leader) if leader else None
    for piece in slices:
        newest = session.get(Run, piece.newest)
        assert first is not None
        assert newest is not None
        reason = difference(session, newest, first) if newest is not first else ""
        rows = _rows(session, wanted, piece)
        bases = _bases(session, wanted.runs, piece.key)
        groups.append(Group(piece.key, piece.count, describe(session, newest), reason, rows, bases))
    return groups


def _rows(session: Session, wanted: _Wanted, piece: Slice) -> list[RankedRow]:
    by, descending = parse_sort(wanted.sort)
    best = _best(session, wanted, piece.key)
    ranks = by.direction is not None and descending == (by.direction == "higher")
    rows = []
    read = _configurations if wanted.by_configuration else _runs
    for place, (run, experiment, row, replicates) in enumerate(read(session, wanted, piece), start=piece.offset + 1):
        rank = place if ranks and row.get(by.name) is not None else None
        rows.append(RankedRow(run, experiment, row, rank, _marks(run, row, best), replicates))
    return rows


# A row before it is ranked: the run, its experiment, its values, and what it stands for besides itself.
_Read = tuple[Run, Experiment, dict[str, Any], Replicates | None]


def _runs(session: Session, wanted: _Wanted, piece: Slice) -> list[_Read]:
    statement = select(Run, Experiment).join(Experiment, ITS_EXPERIMENT)
    statement = statement.where(*completed(wanted.runs), *within(piece.key)).order_by(*wanted.order().clauses())
    found = session.exec(statement.offset(piece.offset).limit(piece.limit)).all()
    cells = values(session, found, wanted.read)
    return [(run, experiment, cells[run.id or 0], None) for run, experiment in found]


def _configurations(session: Session, wanted: _Wanted, piece: Slice) -> list[_Read]:
    """Sorted and cut in SQL; the runs of those on the page are then read and their means taken."""
    grouped = (
        select(func.json_group_array(col(Run.id)))
        .join(Experiment, ITS_EXPERIMENT)
        .where(*completed(wanted.runs), *within(piece.key))
        .group_by(IDENTITY)
        .order_by(*wanted.order().clauses())
    )
    members = [sorted(json.loads(ids)) for ids in session.exec(grouped.offset(piece.offset).limit(piece.limit))]
    statement = select(Run, Experiment).join(Experiment, ITS_EXPERIMENT)
    found = session.exec(statement.where(col(Run.id).in_(list(itertools.chain(*members))))).all()
    cells, by_id = values(session, found, wanted.read), {run.id: (run, experiment) for run, experiment in found}
    rows: list[_Read] = []
    for ids in members:
        row, replicates = combine([by_id[run_id][0] for run_id in ids], cells, wanted.read)
        rows.append((*by_id[ids[0]], row, replicates))
    return rows


# The best value of a metric among the rows that compare in it: by metric and, for perplexity, by its key.
Best = Mapping[tuple[str, str | None], float]


def _best(session: Session, wanted: _Wanted, key: Key) -> Best:
    """Of metrics that at least two rows of the group have: alone, nothing is best."""
    found: dict[tuple[str, str | None], float] = {}
    for metric in metrics.COMPARED:
        value = func.avg(col(RunValue.last)) if wanted.by_configuration else col(RunValue.last)
        each: Any = (
            select(value.label("value"), col(Run.perplexity_key).label("scope"))
            .select_from(Run)
            .join(Experiment, ITS_EXPERIMENT)
            .join(RunValue, (col(RunValue.run_id) == col(Run.id)) & (col(RunValue.name) == metric.name))
            .where(*completed(wanted.runs), *within(key))
        )
        row = (each.group_by(IDENTITY) if wanted.by_configuration else each).subquery().c
        scope = [row.scope] if metric.short == "perplexity" else []
        best = func.min if metric.direction == "lower" else func.max
        statement = select(best(row.value), *scope).group_by(*scope).having(func.count() > 1)
        for value_of_best, *of_key in session.execute(statement):
            found[metric.name, of_key[0] if of_key else None] = value_of_best
    return found


def _marks(run: Run, row: Mapping[str, Any], best: Best) -> frozenset[str]:
    def is_best(name: str) -> bool:
        scope = run.perplexity_key if name == BEST_PERPLEXITY_FIRST else None
        # A mean in SQL and the same in Python may differ in the last bit.
        return row[name] is not None and math.isclose(row[name], best.get((name, scope), math.nan), rel_tol=1e-12)

    return frozenset(metric.name for metric in metrics.COMPARED if is_best(metric.name))


def _bases(session: Session, runs: RunFilter, key: Key) -> list[BaseRow]:
    """The base models of the group, the one with most runs first."""
    if key.import_id is not None:
        return _stated_base(session, key.import_id)
    statement = (
        select(func.max(col(Run.id)))
        .select_from(Run)
        .join(Experiment, ITS_EXPERIMENT)
        .where(*completed(runs), *within(key), col(Run.baseline_key).is_not(None))
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


def _unranked(session: Session, wanted: _Wanted) -> list[RankedRow]:
    """Runs without a result, newest first."""
    open_runs = [*wanted.runs.conditions(), col(Run.status).in_(set(RunStatus) - {RunStatus.COMPLETED})]
    statement = select(Run, Experiment).join(Experiment, ITS_EXPERIMENT).where(*open_runs).order_by(col(Run.id).desc())
    found = session.exec(statement.limit(MOST_UNRANKED)).all()
    cells = values(session, found, wanted.columns)
    return [RankedRow(run, experiment, cells[run.id or 0]) for run, experiment in found]
