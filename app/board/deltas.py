"""What the rows of a table come to against one run that was pinned, and how sure that is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session, col, select

from app.board.comparable import comparable
from app.board.leaderboard import Delta, Leaderboard, RankedRow
from app.board.replicates import combine, is_measured, replicates
from app.board.run_columns import Column, values
from app.board.run_filter import ITS_EXPERIMENT
from app.errors import Invalid
from app.metrics import BY_NAME, relative_change
from app.models import Experiment, Run
from app.settings import Settings
from app.statistics.differences import compare


@dataclass(frozen=True)
class Pinned:
    """The run, in a table of configurations with those of its other seeds; `values` are their means, by column."""

    runs: Sequence[Run]
    values: Mapping[str, Any]


def with_deltas(session: Session, settings: Settings, board: Leaderboard, run_id: int) -> Leaderboard:
    """The same table with each row's deltas to a run, which need not be in it."""
    rows = [*(row for group in board.groups for row in group.rows), *board.unranked]
    run = session.get(Run, run_id)
    if run is None:
        raise Invalid.one("baseline", f"There is no run {run_id}: it may have been deleted")
    against = pinned(session, [run], board.columns, alike=any(row.replicates for row in rows))[run_id]

    def seen(rows: Sequence[RankedRow]) -> list[RankedRow]:
        return [replace(row, deltas=deltas(settings, row, against, board.columns)) for row in rows]

    groups = [replace(group, rows=seen(group.rows)) for group in board.groups]
    return replace(board, groups=groups, unranked=seen(board.unranked))


def deltas(settings: Settings, row: RankedRow, against: Pinned, columns: Sequence[Column]) -> dict[str, Delta]:
    """By column, of every number that means something beside the pinned run's; none for that run itself."""
    theirs, ours = ([run.id or 0 for run in runs] for runs in (against.runs, row.runs))
    if set(ours) & set(theirs):
        return {}
    found = dict(_differences(row, against, columns))
    if not any(name in BY_NAME for name in found):
        return found
    sure = compare(settings, theirs, ours)
    for name in found.keys() & BY_NAME.keys():
        if difference := sure.get(BY_NAME[name].short):
            found[name] = replace(found[name], interval=difference.absolute)
    return found


def _differences(row: RankedRow, against: Pinned, columns: Sequence[Column]) -> Iterator[tuple[str, Delta]]:
    for column in columns:
        ours, theirs = row.values.get(column.name), against.values.get(column.name)
        if ours is not None and theirs is not None and _means_something(row.run, against.runs[0], column):
            yield column.name, Delta(ours - theirs, relative_change(theirs, ours))


def _means_something(run: Run, other: Run, column: Column) -> bool:
    """A cost is one whatever was asked; a metric compares between runs that were asked the same."""
    if column.kind != "metric":
        return is_measured(column)
    return column.direction is not None and comparable(run, other, BY_NAME[column.metric].short)


def pinned(session: Session, runs: Iterable[Run], columns: Sequence[Column], *, alike: bool) -> dict[int, Pinned]:
    """By id, what rows are set against; `alike`: with the runs that differ from it by their seed."""
    each = {run.id or 0: [run] for run in runs}
    if alike:
        each = {run_id: [run, *_other_seeds(session, run)] for run_id, (run,) in each.items()}
    read = [found for found in columns if is_measured(found)]
    ids = [run.id for group in each.values() for run in group]
    rows = session.exec(select(Run, Experiment).join(Experiment, ITS_EXPERIMENT).where(col(Run.id).in_(ids))).all()
    cells = values(session, rows, read)
    return {run_id: Pinned(group, combine(group, cells, read)[0]) for run_id, group in each.items()}


def _other_seeds(session: Session, run: Run) -> list[Run]:
    return [other for other in replicates(session, run) if other.id != run.id]
