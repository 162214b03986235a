"""/imports/new: a table of finished runs from elsewhere, seen as it is understood before anything is stored."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.concurrency import contextmanager_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlmodel import Session
from starlette.exceptions import HTTPException

from app import experiments
from app.db import Database, refusing
from app.errors import FieldError, Invalid, Unavailable
from app.importing.import_request import MAX_BYTES
from app.importing.imports import import_table
from app.importing.result_tables import StatedTable
from app.metrics import COMPARED
from app.run_config import LABELS
from app.settings import Settings
from app.web import import_form, secrets, uploads
from app.web.deps import DatabaseDep, Reading, SettingsDep
from app.web.templating import page
from app.web.turns import in_import_thread

router = APIRouter(prefix="/imports/new", include_in_schema=False)

SHOWN_ROWS = 50
# The pasted table, and as much again for all other fields.
TEXT_LIMIT = 2 * MAX_BYTES


@router.get("")
def new(request: Request, session: Reading, experiment: str = "") -> HTMLResponse:
    return _form(request, session, {"experiment": experiment})


@router.post("")
async def send(request: Request, database: DatabaseDep, settings: SettingsDep) -> Response:
    """Preview or import, by the button that was pressed; what is wrong comes back with the input kept."""
    async with contextmanager_in_threadpool(tempfile.TemporaryDirectory()) as folder:
        upload = await uploads.receive(request, Path(folder), MAX_BYTES, text_limit=TEXT_LIMIT)
        return await in_import_thread(request, _answer, request, database, settings, upload)


def _answer(request: Request, database: Database, settings: Settings, upload: uploads.Upload) -> Response:
    typed = dict(upload.fields)
    if not secrets.is_form_token(settings, typed.pop("_token", "")):
        raise HTTPException(403, "This form is older than a week, or not ours. Load its page again, then send it.")
    table = None
    try:
        typed = import_form.typed_in(upload)
        asked = import_form.read(typed)
        table = asked.table()
        if typed.get("wish") == "import":
            with refusing(), database.writing() as session:
                found, _ = import_table(
                    session,
                    table,
                    experiment=asked.experiment,
                    source=asked.source,
                    base=asked.base,
                    setup=asked.setup,
                )
                return RedirectResponse(f"/experiments/{found.id}/report", status_code=303)
    except (Invalid, Unavailable) as refusal:
        errors = refusal.errors if isinstance(refusal, Invalid) else [FieldError("file", str(refusal))]
        with database.reading() as session:
            return _form(request, session, typed, table=table, errors=errors, status_code=refusal.status)
    with database.reading() as session:
        return _form(request, session, typed, table=table)


def _form(
    request: Request,
    session: Session,
    typed: Mapping[str, str],
    *,
    table: StatedTable | None = None,
    errors: Sequence[FieldError] = (),
    status_code: int = 200,
) -> HTMLResponse:
    return page(
        request,
        "imports/new.html",
        typed=typed,
        table=table,
        columns=import_form.choices(table) if table else [],
        settings=import_form.settings_of(table) if table else [],
        runs=table.runs[:SHOWN_ROWS] if table else [],
        targets=import_form.targets(),
        metrics=COMPARED,
        labels=LABELS,
        setup=import_form.SETUP,
        left_out=import_form.LEFT_OUT,
        max_bytes=MAX_BYTES,
        experiments=[found.name for found in experiments.list_experiments(session)],
        errors=errors,
        wrong={error.field: error.message for error in errors},
        status_code=status_code,
    )
