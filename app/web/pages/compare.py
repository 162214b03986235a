"""/compare: runs side by side."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session

from app import experiments, ids
from app.compare import comparison
from app.compare.chosen import MOST_RUNS, candidates, choose, of_experiment, parse_runs
from app.status import RunStatus
from app.web.compare_charts import view as charts
from app.web.compare_page import view
from app.web.compare_page.query import CompareQuery
from app.web.deps import Id, Reading, SettingsDep
from app.web.templating import page

router = APIRouter(prefix="/compare", include_in_schema=False)

MOST_SHOWN = 50

Runs = Annotated[list[str] | None, Query()]


@router.get("/experiment/{experiment_id}")
def whole(session: Reading, experiment_id: Id) -> RedirectResponse:
    """All of an experiment, in an address that says which runs these are now."""
    ids = ",".join(map(str, of_experiment(session, experiment_id)))
    return RedirectResponse(f"/compare?runs={ids}" if ids else f"/experiments/{experiment_id}", status_code=303)


@router.get("")
def show(
    request: Request, session: Reading, settings: SettingsDep, runs: Runs = None, baseline: str = "", all: str = ""
) -> HTMLResponse:
    if not runs:
        return _choose(request, session)
    chosen = choose(session, parse_runs(runs or ()), ids.parse(baseline))
    query = CompareQuery.of(chosen, all=bool(all))
    found = comparison.build(session, settings, chosen)
    more = candidates(session, chosen)
    drawn = charts.build(session, settings, found)
    return page(request, "compare/show.html", candidates=more, charts=drawn, **view.build(session, found, query))


def _choose(request: Request, session: Session) -> HTMLResponse:
    """Nothing was asked for: where runs are chosen."""
    found = experiments.list_experiments(session)
    counts = experiments.count_runs(session, [e.id for e in found if e.id is not None])
    finished = {i: count.by_status.get(RunStatus.COMPLETED, 0) for i, count in counts.items()}
    ready = [(e, finished[e.id]) for e in found if e.id in finished and finished[e.id] > 1]
    return page(request, "compare/choose.html", ready=ready[:MOST_SHOWN], more=len(ready) > MOST_SHOWN, most=MOST_RUNS)
