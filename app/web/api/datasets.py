"""/datasets: import, list, preview, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool
from fastapi.responses import FileResponse

from app.data import appended, dataset_rows, datasets
from app.data.dataset_import.formats import FORMATS
from app.data.dataset_request import BAD_ROWS
from app.data.rows import ROWS_FILE
from app.db import MAX_ID
from app.errors import NotFound
from app.listing import DEFAULT_LIMIT
from app.web import uploads
from app.web.api.bodies import Append
from app.web.api.dataset_shapes import Dataset, DatasetRow
from app.web.api.documented import BODY, Cursor, Limit, problems
from app.web.api.shapes import Listed
from app.web.deps import DatabaseDep, Id, Reading, SettingsDep, Writing
from app.web.turns import in_import_thread

router = APIRouter(prefix="/datasets", tags=["data sets"], responses=problems(422))

# The body is read by app.web.uploads, so that it streams; this is what its documentation says.
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "JSONL, JSON, CSV, TSV, Parquet.",
                        },
                        "path": {
                            "type": "string",
                            "description": "Instead of `file`: a file on the server, under TUNEBOARD_MODEL_DIRS.",
                        },
                        "name": {"type": "string", "description": "Else the file's name."},
                        "format": {"type": "string", "enum": list(FORMATS), "description": "Else by the file's name."},
                        "columns": {
                            "type": "string",
                            "description": 'JSON of unusual column names: {"prompt": "act", "response": "prompt"}.',
                        },
                        "bad_rows": {
                            "type": "string",
                            "enum": list(BAD_ROWS),
                            "description": "`reject`: one bad row refuses the file; `skip`: they are left out.",
                        },
                    },
                }
            }
        },
    }
}


@router.post("", status_code=201, response_model=Dataset, responses=problems(*BODY), openapi_extra=FORM)
async def create(request: Request, response: Response, database: DatabaseDep, settings: SettingsDep) -> dict[str, Any]:
    """Import a file. One that cannot be used is a 422 that names its first bad rows, and nothing is kept."""
    async with contextmanager_in_threadpool(datasets.staging(settings)) as folder:
        upload = await uploads.receive(request, folder, settings.max_upload)
        dataset = await in_import_thread(request, uploads.import_upload, database, settings, upload, folder)
    response.headers["Location"] = f"/api/v1/datasets/{dataset.id}"
    return datasets.to_api(dataset, 0)


@router.post("/{dataset_id}/append", status_code=201, response_model=Dataset, responses=problems(*BODY, 404))
def append(dataset_id: Id, body: Append, response: Response, session: Writing, settings: SettingsDep) -> dict[str, Any]:
    """Make a new data set: this one's rows, then the other's. Both stay; what either holds out stays held out."""
    dataset = appended.append(session, settings, dataset_id, body.dataset, body.name)
    response.headers["Location"] = f"/api/v1/datasets/{dataset.id}"
    return datasets.to_api(dataset, 0)


@router.get("", response_model=Listed[Dataset])
def list_all(session: Reading, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> dict[str, Any]:
    """Newest first."""
    found = datasets.list_datasets(session, limit=limit, cursor=cursor)
    used = datasets.runs_using(session, [dataset.id for dataset in found.items])
    items = [datasets.to_api(dataset, used.get(dataset.id or 0, 0)) for dataset in found.items]
    return {"items": items, "next_cursor": found.next_cursor, "total": found.total}


@router.get("/{dataset_id}", response_model=Dataset, responses=problems(404))
def show(dataset_id: Id, session: Reading) -> dict[str, Any]:
    dataset = datasets.get(session, dataset_id)
    return datasets.to_api(dataset, datasets.runs_using(session, [dataset_id]).get(dataset_id, 0))


@router.get("/{dataset_id}/rows", response_model=Listed[DatasetRow], responses=problems(404))
def rows(
    dataset_id: Id,
    session: Reading,
    settings: SettingsDep,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    offset: Annotated[int, Query(ge=0, le=MAX_ID, description="Start at this row, where no cursor is given.")] = 0,
    search: Annotated[str, Query(max_length=200, description="Only rows with this text, in any case.")] = "",
) -> dict[str, Any]:
    """Rows as stored, in file order. `total` counts all rows of the data set, also in a search; a page of a search may
    have fewer rows than `limit` and yet a `next_cursor`: there is more to look through."""
    dataset = datasets.get(session, dataset_id)
    folder = settings.dataset_dir(dataset_id)
    found = dataset_rows.page(folder, limit=limit, cursor=cursor, offset=offset, search=search)
    items = [dataset_rows.to_api(item) for item in found.items]
    return {"items": items, "next_cursor": found.next_cursor, "total": dataset.rows}


@router.get("/{dataset_id}/rows.jsonl", response_class=FileResponse, responses=problems(404))
def download_rows(dataset_id: Id, session: Reading, settings: SettingsDep) -> FileResponse:
    """All rows as they are stored, one JSON object a line: what `python -m worker` trains on."""
    dataset = datasets.get(session, dataset_id)
    file = settings.dataset_dir(dataset_id) / ROWS_FILE
    if not file.is_file():
        raise NotFound(f"The rows of data set {dataset.name} are gone from the data folder.")
    return FileResponse(file, media_type="application/jsonl", filename=ROWS_FILE)


@router.delete("/{dataset_id}", status_code=204, responses=problems(404, 409))
def delete(dataset_id: Id, session: Writing, settings: SettingsDep) -> None:
    """Only a data set that no run uses."""
    datasets.delete(session, settings, dataset_id)
