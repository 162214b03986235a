"""/runs/{id}/...: what a run writes and leaves behind - series, log, predictions, attempts, artifacts."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse

from app import artifacts, attempts, logs, predictions, series
from app.db import MAX_ID
from app.listing import DEFAULT_LIMIT
from app.runs import get_run
from app.web.api import shapes
from app.web.api.documented import Cursor, Limit, problems
from app.web.deps import Id, Reading, SettingsDep

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], responses=problems(404, 422))


@router.get("/config.json", response_model=dict[str, Any], summary="Download the configuration")
def config(run_id: Id, session: Reading) -> Response:
    """As `tuneboard launch` and `python -m worker` read it; of an imported run what was stated."""
    text = json.dumps(get_run(session, run_id).config, indent=1, ensure_ascii=False) + "\n"
    saved = {"Content-Disposition": 'attachment; filename="config.json"'}
    return Response(text, media_type="application/json", headers=saved)


@router.get("/metrics", response_model=shapes.AllSeries, summary="Read metric series")
def metrics(
    run_id: Id,
    session: Reading,
    name: Annotated[list[str] | None, Query(description="Repeated, or with commas; all of them unless told.")] = None,
    max_points: Annotated[int, Query(ge=10, le=series.MOST_POINTS)] = series.DEFAULT_POINTS,
    after: Annotated[int, Query(ge=-1, le=MAX_ID, description="Only points of later steps.")] = -1,
) -> dict[str, Any]:
    get_run(session, run_id)
    names = [part.strip() for text in name or [] for part in text.split(",") if part.strip()]
    return {"series": [vars(found) for found in series.read_series(session, run_id, names, max_points, after)]}


@router.get("/logs", response_model=shapes.LogLines, summary="Read the log")
def log_lines(
    run_id: Id,
    session: Reading,
    settings: SettingsDep,
    after: Annotated[int, Query(ge=0, le=MAX_ID, description="`next` of the answer before.")] = 0,
    tail: Annotated[
        int | None, Query(ge=1, le=5000, description="Only the last lines; then `after` counts not.")
    ] = None,
    search: Annotated[
        str, Query(max_length=200, description="Only lines with this text, case ignored; ask on from `next`.")
    ] = "",
) -> dict[str, Any]:
    get_run(session, run_id)
    if search:
        return vars(logs.search(settings, run_id, search, after))
    return vars(logs.tail(settings, run_id, tail) if tail else logs.read_after(settings, run_id, after))


@router.get("/predictions", response_model=shapes.Listed[shapes.Prediction], summary="List predictions")
def list_predictions(
    run_id: Id,
    session: Reading,
    settings: SettingsDep,
    sort: Annotated[str, Query(description=f"{', '.join(predictions.SORTS)}; `-` for the largest first.")] = "row",
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """The held-out rows with the answers of base and fine-tuned model."""
    get_run(session, run_id)
    return vars(predictions.list_predictions(settings, run_id, sort=sort, limit=limit, cursor=cursor))


@router.get("/attempts", response_model=shapes.Listed[shapes.Attempt], summary="List attempts")
def list_attempts(run_id: Id, session: Reading) -> dict[str, Any]:
    """How often it was tried, how far each attempt got and what it ended of; the last one first."""
    get_run(session, run_id)
    items = [attempts.to_api(attempt) for attempt in attempts.of_run(session, run_id)]
    return {"items": items, "next_cursor": None, "total": len(items)}


@router.get("/artifacts", response_model=shapes.Listed[shapes.Artifact], summary="List artifacts")
def list_artifacts(run_id: Id, session: Reading, settings: SettingsDep) -> dict[str, Any]:
    get_run(session, run_id)
    items = [vars(item) for item in artifacts.list_artifacts(settings, run_id)]
    return {"items": items, "next_cursor": None, "total": len(items)}


@router.get("/artifacts/{name}", response_class=FileResponse, summary="Download an artifact")
def download(run_id: Id, name: str, session: Reading, settings: SettingsDep) -> FileResponse:
    """One file, as an attachment: a browser saves it and never runs it."""
    get_run(session, run_id)
    item, path = artifacts.find_artifact(settings, run_id, name)
    return FileResponse(path, media_type=item.media_type, filename=item.name, content_disposition_type="attachment")
