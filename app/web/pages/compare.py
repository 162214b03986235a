"""/compare: runs side by side."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app import ids
from app.compare import comparison
from app.compare.chosen import candidates, choose, parse_runs
from app.web.compare_charts import view as charts
from app.web.compare_page import view
from app.web.compare_page.query import CompareQuery
from app.web.deps import Reading, SettingsDep
from app.web.templating import page

router = APIRouter(prefix="/compare", include_in_schema=False)

Runs = Annotated[list[str] | None, Query()]


@router.get("")
def show(
    request: Request, session: Reading, settings: SettingsDep, runs: Runs = None, baseline: str = "", all: str = ""
) -> HTMLResponse:
    chosen = choose(session, parse_runs(runs or ()), ids.parse(baseline))
    query = CompareQuery.of(chosen, all=bool(all))
    found = comparison.build(session, settings, chosen)
    more = candidates(session, chosen)
    drawn = charts.build(session, settings, found)
    return page(request, "compare/show.html", candidates=more, charts=drawn, **view.build(session, found, query))
