"""The data sets: the list with the form that adds one; appending and deleting."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlmodel import Session
from starlette.exceptions import HTTPException

from app import ids
from app.data import appended, datasets
from app.data.dataset_import.formats import FORMATS
from app.data.dataset_import.shapes import NAMES
from app.errors import FieldError, Invalid, TooLarge, TuneboardError, Unavailable, WrongMediaType
from app.settings import Settings
from app.web import secrets, uploads
from app.web.deps import DatabaseDep, Id, Reading, SettingsDep, Writing
from app.web.security import PageForm
from app.web.templating import page
from app.web.turns import in_import_thread

router = APIRouter(prefix="/datasets", include_in_schema=False)

LISTED = 1000
COLUMN = "column."  # in front of the form's fields for unusual column names


@router.get("")
def index(request: Request, session: Reading, settings: SettingsDep) -> HTMLResponse:
    return _index(request, session, settings)


@router.post("")
async def create(request: Request, database: DatabaseDep, settings: SettingsDep) -> Response:
    """Import an upload. What is wrong with it is said beside the form, with what was typed still there."""
    async with contextmanager_in_threadpool(datasets.staging(settings)) as folder:
        upload = await uploads.receive(request, folder, settings.max_upload)
        typed = dict(upload.fields)
        if not secrets.is_form_token(settings, typed.pop("_token", "")):
            raise HTTPException(403, "This form is older than a week, or not ours. Load its page again, then send it.")
        upload.fields = _import_fields(typed)
        try:
            dataset = await in_import_thread(request, uploads.import_upload, database, settings, upload, folder)
        except (Invalid, WrongMediaType, TooLarge, Unavailable) as refusal:
            return await run_in_threadpool(_refused, request, database, settings, typed, refusal)
    return RedirectResponse(f"/datasets/{dataset.id}", status_code=303)


@router.post("/{dataset_id}/append")
def append(dataset_id: Id, session: Writing, settings: SettingsDep, form: PageForm) -> Response:
    """A new data set of this one's rows and then another's."""
    other = ids.parse(str(form.get("dataset", "")))
    if other is None:
        raise Invalid.one("dataset", "Choose the data set to append")
    made = appended.append(session, settings, dataset_id, other, str(form.get("name", "")))
    return RedirectResponse(f"/datasets/{made.id}", status_code=303)


@router.post("/{dataset_id}/delete")
def delete(dataset_id: Id, session: Writing, settings: SettingsDep, _: PageForm) -> Response:
    datasets.delete(session, settings, dataset_id)
    return RedirectResponse("/datasets", status_code=303)


def _import_fields(typed: Mapping[str, str]) -> dict[str, str]:
    """The form's fields as the import knows them: one JSON object of columns instead of a field for each."""
    columns = {name.removeprefix(COLUMN): text for name, text in typed.items() if name.startswith(COLUMN) and text}
    fields = {name: text for name, text in typed.items() if text and not name.startswith(COLUMN)}
    return fields | ({"columns": json.dumps(columns)} if columns else {})


def _refused(
    request: Request, database: Any, settings: Settings, typed: dict[str, str], refusal: TuneboardError
) -> HTMLResponse:
    errors = refusal.errors if isinstance(refusal, Invalid) else [FieldError("file", str(refusal))]
    with database.reading() as session:
        return _index(request, session, settings, typed=typed, errors=errors, status_code=refusal.status)


def _index(
    request: Request,
    session: Session,
    settings: Settings,
    *,
    typed: Mapping[str, str] | None = None,
    errors: list[FieldError] | None = None,
    status_code: int = 200,
) -> HTMLResponse:
    found = datasets.list_datasets(session, limit=LISTED)
    return page(
        request,
        "datasets/index.html",
        datasets=found.items,
        used=datasets.runs_using(session, [dataset.id for dataset in found.items]),
        typed=typed or {},
        errors=errors or [],
        formats=FORMATS,
        parts=NAMES,
        max_upload=settings.max_upload,
        has_folders=bool(settings.model_folders),
        status_code=status_code,
    )
