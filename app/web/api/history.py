"""/history: series of many runs in one answer, for charts that lay them over each other.

Ten runs of 2,000 points are a quarter of the work that the usual way of answering would be: SQLite writes the numbers,
with the digits that a chart can show, and they are packed at the fastest level.
"""

import gzip
import json
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlmodel import Session

from app import series
from app.compare.chosen import MOST_RUNS, parse_runs
from app.db import MAX_ID
from app.errors import Invalid
from app.series import ChosenPoints
from app.web.api import shapes
from app.web.api.documented import problems
from app.web.deps import Reading


class RunSeries(shapes.Series):
    run: int


class History(shapes.Shape):
    series: list[RunSeries]


router = APIRouter(prefix="/history", tags=["runs"], responses=problems(422))

DEFAULT_POINTS, MOST_NAMES = 500, 20
# Of all series of one answer together: with more of them each has fewer, and says that it is sampled.
MOST_IN_ALL = 200_000


@router.get("", response_model=History, summary="Read series of many runs")
def show(
    request: Request,
    session: Reading,
    runs: Annotated[list[str], Query(description=f"Ids with commas or repeated, at most {MOST_RUNS}.")],
    name: Annotated[list[str], Query(description=f"Series with commas or repeated, at most {MOST_NAMES}.")],
    max_points: Annotated[
        int,
        Query(ge=10, le=series.MOST_POINTS, description=f"A series; {MOST_IN_ALL:,} in all. Peaks and dips stay."),
    ] = DEFAULT_POINTS,
    after: Annotated[int, Query(ge=-1, le=MAX_ID, description="Only points of later steps.")] = -1,
    before: Annotated[int, Query(ge=0, le=MAX_ID, description="Only points of earlier steps.")] = MAX_ID,
) -> Response:
    """A run that is not there, or has no such series, has none in the answer. Values have six significant digits."""
    ids, names = parse_runs(runs), _names(name)
    if not 0 < len(ids) <= MOST_RUNS:
        raise Invalid.one("runs", f"Name 1 to {MOST_RUNS} runs by their ids, and not {len(ids):,}")
    points = max(10, min(max_points, MOST_IN_ALL // max(1, len(ids) * len(names))))
    return _packed(request, _written(session, ids, names, points, (after, before)))


def _names(texts: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(part.strip() for text in texts for part in text.split(",") if part.strip()))
    if not 0 < len(found) <= MOST_NAMES:
        raise Invalid.one("name", f"Name 1 to {MOST_NAMES} series, train/loss for one")
    return found


def _written(session: Session, ids: Sequence[int], names: Sequence[str], points: int, steps: tuple[int, int]) -> str:
    found = (
        _json(session, run_id, one)
        for run_id in ids
        for one in series.choose_points(session, run_id, names, points, *steps)
    )
    return f'{{"series":[{",".join(found)}]}}'


def _json(session: Session, run_id: int, one: ChosenPoints) -> str:
    steps, values, times, epochs = series.read_text(session, one)
    return (
        f'{{"run":{run_id},"name":{json.dumps(one.name)},"steps":{steps},"values":{values},"times":{times},'
        f'"epochs":{epochs},"points":{one.points},"sampled":{str(one.sampled).lower()}}}'
    )


def _packed(request: Request, text: str) -> Response:
    """Packed here where the client takes it: the middleware's level would take longer than everything before it."""
    body = text.encode()
    headers = {"Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", "").lower():
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, compresslevel=1)
    return Response(body, media_type="application/json", headers=headers)
