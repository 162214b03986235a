"""/experiments/{id}/report: the report of a study, as JSON and as files to keep."""

import json
import re
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from app.metrics import COMPARED
from app.study import csv, markdown, report, sources
from app.web import report_document
from app.web.api.documented import problems
from app.web.api.report_shapes import Report
from app.web.deps import Id, Reading, SettingsDep

router = APIRouter(prefix="/experiments/{experiment_id}", tags=["experiments"], responses=problems(404, 422))

Metric = Literal["perplexity", "bleu", "rouge_l"]
assert {"perplexity", "bleu", "rouge_l"} == {metric.short for metric in COMPARED}
BestBy = Annotated[Metric, Query(description="The metric that decides what is best, and that findings are about.")]
Ending = Literal["json", "md", "csv", "html"]

MEDIA = {
    "json": "application/json",
    "md": "text/markdown; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
}


@router.get("/report", response_model=Report, summary="Read the report")
def show(experiment_id: Id, session: Reading, settings: SettingsDep, best_by: BestBy = "perplexity") -> dict[str, Any]:
    """Tables, findings and recommendations, written from the runs that have results now."""
    return report.build(sources.load(session, settings, experiment_id, best_by=best_by))


@router.get(
    "/report.{ending}",
    response_class=Response,
    responses={200: {"content": {media.partition(";")[0]: {} for media in MEDIA.values()}}},
    summary="Download the report",
)
def download(
    request: Request,
    experiment_id: Id,
    ending: Ending,
    session: Reading,
    settings: SettingsDep,
    best_by: BestBy = "perplexity",
) -> Response:
    """The same as a file. `csv` is the table in raw numbers, `html` one file that needs no other."""
    found = report.build(sources.load(session, settings, experiment_id, best_by=best_by))
    return _file(_content(request, ending, found), ending, found["experiment"]["name"])


def _content(request: Request, ending: Ending, found: dict[str, Any]) -> bytes:
    if ending == "json":
        return json.dumps(found, ensure_ascii=False, indent=1).encode()
    if ending == "html":
        return report_document.render(request, found).encode()
    text: str = (markdown if ending == "md" else csv).render(found)
    return text.encode()


def _file(content: bytes, ending: Ending, name: str) -> Response:
    """An attachment: saved and never shown as a page of this server."""
    plain = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or "report"
    disposition = f"attachment; filename=\"{plain}.{ending}\"; filename*=UTF-8''{quote(name, safe='')}.{ending}"
    return Response(content, media_type=MEDIA[ending], headers={"Content-Disposition": disposition})
