"""/leaderboard: runs with results, ranked among those that compare."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from app import runs
from app.board import leaderboard
from app.board.deltas import with_deltas
from app.board.leaderboard import Group, RankedRow
from app.board.replicates import Replicates
from app.board.run_columns import parse_columns
from app.board.run_filter import parse_filter
from app.db import MAX_ID
from app.listing import DEFAULT_LIMIT
from app.web.api import leaderboard_shapes as shapes
from app.web.api.documented import Cursor, Filter, Limit, problems
from app.web.deps import Reading, SettingsDep

router = APIRouter(prefix="/leaderboard", tags=["leaderboard"], responses=problems(422))


@router.get("", response_model=shapes.Leaderboard, summary="Show the leaderboard")
def show(
    session: Reading,
    settings: SettingsDep,
    experiment: Annotated[str | None, Query(description="An id or a name.")] = None,
    status: Annotated[str | None, Query(description="One or more, with commas.")] = None,
    filter: Filter = None,
    sort: Annotated[
        str, Query(description="A column, of a metric also `eval/bleu:best`; `-` for the largest first.")
    ] = leaderboard.BEST_PERPLEXITY_FIRST,
    columns: Annotated[str | None, Query(description="Names with commas; the experiment table's unless told.")] = None,
    group: Annotated[
        Literal["configuration"] | None,
        Query(description="`configuration`: runs that differ in nothing but their seed are one row, of their means."),
    ] = None,
    baseline: Annotated[
        int | None, Query(ge=1, le=MAX_ID, description="The id of a run: every row has its `deltas` to it.")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Groups of runs that compare, the one with the newest result first; runs without a result apart."""
    board = leaderboard.build(
        session,
        parse_filter(experiment, status, filter),
        sort=sort,
        columns=parse_columns(columns),
        limit=limit,
        cursor=cursor,
        by_configuration=group == "configuration",
    )
    if baseline is not None:
        board = with_deltas(session, settings, board, baseline)
    items = [_row(row, number) for number, group in enumerate(board.groups) for row in group.rows]
    return {
        "items": items,
        "next_cursor": board.next_cursor,
        "total": board.total,
        "sort": board.sort,
        "columns": [vars(column) for column in board.columns],
        "groups": [_group(group) for group in board.groups],
        "unranked": [_row(row, None) for row in board.unranked],
    }


def _row(row: RankedRow, group: int | None) -> dict[str, Any]:
    place = {"group": group, "rank": row.rank, "best": sorted(row.best), "values": row.values}
    deltas = {name: vars(delta) for name, delta in row.deltas.items()}
    answer = runs.to_api(row.run, row.experiment) | place
    return answer | {"deltas": deltas, "replicates": _replicates(row.replicates)}


def _replicates(found: Replicates | None) -> dict[str, Any] | None:
    return {"runs": [run.id for run in found.runs], "spread": found.spread} if found else None


def _group(group: Group) -> dict[str, Any]:
    return {
        "fingerprint": group.key.fingerprint,
        "perplexity_key": group.key.perplexity_key,
        "import_id": group.key.import_id,
        "runs": group.count,
        "shares": group.shares,
        "reason": group.reason,
        "bases": [vars(base) for base in group.bases],
    }
