"""/compare/values: a series of many runs point by point, which is what stands behind a chart of them."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from app import ids
from app.compare import points
from app.compare.chosen import Chosen, choose, parse_runs
from app.compare.names import names
from app.db import Database
from app.errors import Invalid
from app.metrics import BY_NAME, Metric
from app.web.compare_page.query import CompareQuery
from app.web.deps import DatabaseDep, Reading
from app.web.templating import page

router = APIRouter(prefix="/compare/values", include_in_schema=False)

Runs = Annotated[list[str] | None, Query()]


@router.get("")
def show(request: Request, session: Reading, runs: Runs = None, baseline: str = "", name: str = "") -> HTMLResponse:
    metric = _metric(name)
    chosen = choose(session, parse_runs(runs or ()), ids.parse(baseline), fewest=1)
    return page(
        request,
        "compare/values.html",
        metric=metric,
        chosen=chosen,
        called=names(chosen.runs),
        table=points.table(session, chosen.runs, metric.name),
        query=CompareQuery.of(chosen),
    )


@router.get(".csv")
def download(database: DatabaseDep, runs: Runs = None, baseline: str = "", name: str = "") -> StreamingResponse:
    metric = _metric(name)
    with database.reading() as session:
        chosen = choose(session, parse_runs(runs or ()), ids.parse(baseline), fewest=1)
    file = f"{metric.name.replace('/', '-')}.csv"
    return StreamingResponse(
        _lines(database, chosen, metric),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )


def _lines(database: Database, chosen: Chosen, metric: Metric) -> Iterator[str]:
    """With a session of its own: the route's is closed before the first line is sent."""
    with database.reading() as session:
        yield from points.lines(session, chosen.runs, metric.name)


def _metric(name: str) -> Metric:
    if name not in BY_NAME:
        raise Invalid.one("name", f"There is no series {name[:40]}: choose one of {', '.join(BY_NAME)}")
    return BY_NAME[name]
