"""The experiment table: runs with results, ranked among those that were asked the same.

What may be compared: BLEU and ROUGE-L within one `fingerprint`, perplexity within one `perplexity_key` (part of it).
So the runs of one fingerprint are a group; sorted by perplexity, the runs of one perplexity key are. Results from
elsewhere have neither: those of one import are a group.

A row is a run, or a configuration: the mean of runs that differ in nothing but their seed (app.board.replicates).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlmodel import Session, col, select

from app.board import best, groups, order, whole_group
from app.board.bases import BaseRow, bases
from app.board.comparability import describe, difference
from app.board.groups import Key, Slice, cut
from app.board.replicates import Replicates, combine
from app.board.run_columns import RUN_ID, TABLE, Column, values
from app.board.run_filter import ITS_EXPERIMENT, RunFilter
from app.board.wanted import Wanted
from app.listing import DEFAULT_LIMIT, parse_offset
from app.models import Experiment, Run
from app.statistics.significance import Interval
from app.status import RunStatus

BEST_PERPLEXITY_FIRST = "eval/perplexity"
MOST_UNRANKED = 50


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
    wanted = Wanted(runs or RunFilter(), by_configuration, sort, columns)
    offset = parse_offset(cursor)
    counted = groups.count(session, wanted)
    total = sum(count for _, count, _ in counted)
    found = _read_groups(session, wanted, cut(counted, offset, limit), counted[0][2] if counted else None)
    more = str(offset + limit) if offset + limit < total else None
    unranked = [] if offset else _unranked(session, wanted)
    return Leaderboard(columns, sort, found, unranked, total, more)


def _read_groups(session: Session, wanted: Wanted, slices: Sequence[Slice], leader: int | None) -> list[Group]:
    first = session.get(Run, leader) if leader else None
    found = []
    for piece in slices:
        newest = session.get(Run, piece.newest)
        assert first is not None
        assert newest is not None
        reason = difference(session, newest, first) if newest is not first else ""
        rows = _ranked(session, wanted, piece)
        base_rows = bases(session, piece.key.import_id, [row.run for row in rows])
        found.append(Group(piece.key, piece.count, describe(session, newest), reason, rows, base_rows))
    return found


def _ranked(session: Session, wanted: Wanted, piece: Slice) -> list[RankedRow]:
    if wanted.by_configuration or piece.count < order.MANY:
        found = whole_group.in_order(session, wanted, piece.key)
        rows = read_rows(session, wanted, [one.ids for one in found[piece.offset : piece.offset + piece.limit]])
        bests = best.of_rows(wanted.compared, found)
    else:
        rows = read_rows(session, wanted, [[run_id] for run_id in order.run_ids(session, wanted, piece)])
        bests = best.along_the_index(session, wanted, piece, [row.run for row in rows])
    return [
        replace(
            row,
            rank=place if wanted.ranks and row.values[wanted.by.name] is not None else None,
            best=best.marks(wanted.compared, row.run, row.values, bests),
        )
        for place, row in enumerate(rows, start=piece.offset + 1)
    ]


def read_rows(session: Session, wanted: Wanted, members: Sequence[Sequence[int]]) -> list[RankedRow]:
    """A row for each list of runs: of a run as it is, of a configuration its means."""
    if not members:
        return []
    statement = select(Run, Experiment).join(Experiment, ITS_EXPERIMENT)
    found = session.exec(statement.where(col(Run.id).in_(list(itertools.chain(*members))))).all()
    cells, by_id = values(session, found, wanted.read), {run.id: (run, experiment) for run, experiment in found}
    if not wanted.by_configuration:
        return [RankedRow(*by_id[run_id], cells[run_id]) for (run_id,) in members]
    rows = []
    for ids in members:
        row, replicates = combine([by_id[run_id][0] for run_id in ids], cells, wanted.read)
        rows.append(RankedRow(*by_id[ids[0]], row, replicates=replicates))
    return rows


def _unranked(session: Session, wanted: Wanted) -> list[RankedRow]:
    single = replace(wanted, by_configuration=False)
    return read_rows(session, single, [[run_id] for run_id in unranked_ids(session, wanted, MOST_UNRANKED)])


def unranked_ids(session: Session, wanted: Wanted, most: int | None = None) -> Sequence[int]:
    """Of runs without a result, newest first."""
    without = col(Run.status).in_(set(RunStatus) - {RunStatus.COMPLETED})
    return session.exec(select(RUN_ID).where(without, *wanted.matching).order_by(RUN_ID.desc()).limit(most)).all()
