"""/experiments/{id}/report: what a study found, written from its runs each time it is asked for."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.db import now
from app.metrics import COMPARED
from app.study import report, sources
from app.web.deps import Id, Reading, SettingsDep
from app.web.report_page import view
from app.web.templating import page

router = APIRouter(prefix="/experiments/{experiment_id}/report", include_in_schema=False)


@router.get("")
def show(
    request: Request, experiment_id: Id, session: Reading, settings: SettingsDep, best_by: str = "perplexity"
) -> HTMLResponse:
    known = {metric.short for metric in COMPARED}
    study = sources.load(session, settings, experiment_id, best_by=best_by if best_by in known else "perplexity")
    return page(request, "reports/show.html", origin="", written=now(), **view.build(report.build(study)))
