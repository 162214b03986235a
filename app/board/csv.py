"""The table of runs as CSV, a line at a time: every row and not a page of them, in the table's order."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlmodel import Session

from app.board import groups, whole_group
from app.board.leaderboard import BEST_PERPLEXITY_FIRST, RankedRow, read_rows, unranked_ids
from app.board.replicates import is_measured
from app.board.run_columns import TABLE, Column
from app.board.run_filter import RunFilter
from app.board.wanted import Wanted
from app.csv_cells import cell
from app.db import iso

ROWS_AT_ONCE = 200


def lines(
    session: Session,
    runs: RunFilter,
    *,
    sort: str = BEST_PERPLEXITY_FIRST,
    columns: Sequence[Column] = TABLE,
    by_configuration: bool = False,
) -> Iterator[str]:
    """The names first. Runs of one `group` compare; those without a result have none and come last."""
    wanted = Wanted(runs, by_configuration, sort, columns)
    own = [column for column in columns if column.name not in ("id", "name", "experiment", "status")]
    spread = [column for column in own if is_measured(column)] if by_configuration else []
    yield _line(
        ["group", "rank", "id", "name", "experiment", "status", *(column.name for column in own)]
        + (["seeds", *(f"{column.name} sd" for column in spread)] if by_configuration else [])
    )
    for group, rank, row in _rows(session, wanted):
        run = row.run
        cells: list[Any] = [group, rank, run.id, run.name, row.experiment.name, str(run.status)]
        cells += [_value(row.values[column.name]) for column in own]
        if by_configuration:
            found = row.replicates.spread if row.replicates else {}
            cells += [len(row.runs), *(found.get(column.name) for column in spread)]
        yield _line(cells)


def _rows(session: Session, wanted: Wanted) -> Iterator[tuple[int | None, int | None, RankedRow]]:
    counted = groups.count(session, wanted)
    for number, piece in enumerate(groups.cut(counted, 0, sum(count for _, count, _ in counted)), start=1):
        members = [found.ids for found in whole_group.in_order(session, wanted, piece.key)]
        for place, row in enumerate(_read(session, wanted, members), start=1):
            ranked = wanted.ranks and row.values[wanted.by.name] is not None
            yield number, place if ranked else None, row
    single = replace(wanted, by_configuration=False)
    for row in _read(session, single, [[run_id] for run_id in unranked_ids(session, wanted)]):
        yield None, None, row


def _read(session: Session, wanted: Wanted, members: Sequence[Sequence[int]]) -> Iterator[RankedRow]:
    for first in range(0, len(members), ROWS_AT_ONCE):
        yield from read_rows(session, wanted, members[first : first + ROWS_AT_ONCE])


def _value(value: Any) -> Any:
    return iso(value) if hasattr(value, "astimezone") else value


def _line(cells: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(map(cell, cells))
    return text.getvalue()
