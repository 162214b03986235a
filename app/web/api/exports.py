"""/runs/{id}/exports: the merged model of a run, and copies of what it made on a hub."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse
from pydantic import Field

from app import errands, exports
from app.runs import get_run
from app.web.api.bodies import Body
from app.web.api.documented import BODY, problems
from app.web.api.errands import Errand
from app.web.api.shapes import Artifact, Listed, Shape
from app.web.deps import Id, Reading, SettingsDep, Writing

router = APIRouter(prefix="/runs/{run_id}/exports", tags=["exports"], responses=problems(404, 422))


class Export(Shape):
    kind: Literal["merged"]
    made_at: datetime
    dtype: str = Field(description="Of its weights: `bfloat16` or `float16`.")
    size_bytes: int
    rescored: dict[str, Any] = Field(description="Metrics of adapter and merged model, and how far they differ.")
    files: list[Artifact]


class ToExport(Body):
    kind: Literal["merged"]


class ToPush(Body):
    what: Literal["adapter", "merged"]
    repository: str = Field(max_length=200, description="owner/name")
    private: bool = True


@router.get("", response_model=Listed[Export], summary="List exports")
def list_exports(run_id: Id, session: Reading, settings: SettingsDep) -> dict[str, Any]:
    get_run(session, run_id)
    found = exports.find_merged(settings, run_id)
    items = [exports.to_api(found)] if found else []
    return {"items": items, "next_cursor": None, "total": len(items)}


@router.post(
    "", status_code=202, response_model=Errand, responses=problems(*BODY, 409), summary="Merge a run's adapter"
)
def make(run_id: Id, body: ToExport, session: Writing, settings: SettingsDep, response: Response) -> dict[str, Any]:  # noqa: ARG001 - there is one kind
    """The adapter and its base as one model in 16 bits, measured again: a worker makes it when no run trains on it."""
    return _accepted(exports.ask_merged(session, settings, run_id), response)


@router.post("/pushes", status_code=202, response_model=Errand, responses=problems(*BODY, 409), summary="Copy to a hub")
def push(run_id: Id, body: ToPush, session: Writing, settings: SettingsDep, response: Response) -> dict[str, Any]:
    """With the token that the worker was started with (`HF_TOKEN`)."""
    asked = exports.ask_push(
        session, settings, run_id, what=body.what, repository=body.repository, private=body.private
    )
    return _accepted(asked, response)


@router.get("/merged/{name}", response_class=FileResponse, summary="Download a file of the merged model")
def download(run_id: Id, name: str, session: Reading, settings: SettingsDep) -> FileResponse:
    get_run(session, run_id)
    item, path = exports.find_file(settings, run_id, name)
    return FileResponse(path, media_type=item.media_type, filename=item.name, content_disposition_type="attachment")


@router.delete("/merged", status_code=204, responses=problems(409), summary="Delete the merged model")
def delete(run_id: Id, session: Writing, settings: SettingsDep) -> None:
    """The run keeps its adapter."""
    exports.delete_merged(session, settings, run_id)


def _accepted(errand: Any, response: Response) -> dict[str, Any]:
    response.headers["Location"] = f"/api/v1/errands/{errand.id}"
    return errands.to_api(errand)
