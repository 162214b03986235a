"""What the rows of a table come to against one run that was pinned, and how sure that is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session

from app.board.comparable import comparable
from app.board.leaderboard import Delta, Leaderboard, RankedRow
from app.board.replicates import combine, is_measured, replicates
from app.board.run_columns import Column, values
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
    against = pinned(session, run_id, board.columns, alike=any(row.replicates for row in rows))

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


def pinned(session: Session, run_id: int, columns: Sequence[Column], *, alike: bool) -> Pinned:
    """What rows are set against; `alike`: with the runs that differ from it by their seed."""
    run = session.get(Run, run_id)
    if run is None:
        raise Invalid.one("baseline", f"There is no run {run_id}: it may have been deleted")
    experiment = session.get(Experiment, run.experiment_id)
    assert experiment is not None
    runs = [run, *(other for other in replicates(session, run) if other.id != run.id)] if alike else [run]
    cells = values(session, [(each, experiment) for each in runs], columns)
    return Pinned(runs, combine(runs, cells, columns)[0])
