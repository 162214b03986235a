"""/imports: tables of finished runs from elsewhere."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastapi.responses import JSONResponse

from app import experiments, runs
from app.db import Database
from app.importing.import_request import MAX_BYTES, ImportRequest, preview
from app.importing.imports import import_table
from app.web import uploads
from app.web.api.documented import BODY, problems
from app.web.api.report_shapes import Imported, ImportPreview
from app.web.deps import DatabaseDep
from app.web.turns import in_import_thread

router = APIRouter(prefix="/imports", tags=["imports"], responses=problems(422))

# The body is read by app.web.uploads; this is what its documentation says.
_PARTS = {
    "file": {"type": "string", "format": "binary", "description": "CSV, JSON or a Markdown table."},
    "experiment": {"type": "string", "description": "Its id, or a name; a new name makes a new experiment."},
    "base": {"type": "string", "description": 'The base model\'s figures: {"perplexity": 45.2, "bleu": 0.23}.'},
    "setup": {
        "type": "string",
        "description": "JSON of what all runs share: base_model, dataset, train_rows, gradient_accumulation_steps.",
    },
    "columns": {
        "type": "string",
        "description": 'JSON of unusual column names: {"My header": "lora.r"}; null leaves a column out.',
    },
}
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["file", "experiment"], "properties": _PARTS}
            }
        },
    }
}


@router.post(
    "",
    status_code=201,
    response_model=Imported,
    responses={200: {"model": ImportPreview, "description": "Of a dry run."}, **problems(*BODY)},
    openapi_extra=FORM,
    summary="Import a table of finished runs",
)
async def create(
    request: Request,
    response: Response,
    database: DatabaseDep,
    dry_run: Annotated[bool, Query(description="Store nothing; answer (200) what would be imported.")] = False,
) -> Any:
    """Only what the table states is stored; what cannot be read is a 422 that names line and reason."""
    asked = await receive(request)
    if dry_run:
        return JSONResponse(await run_in_threadpool(preview, asked))
    answer = await in_import_thread(request, _import, database, asked)
    response.headers["Location"] = f"/api/v1/experiments/{answer['experiment']['id']}"
    return answer


async def receive(request: Request) -> ImportRequest:
    async with contextmanager_in_threadpool(tempfile.TemporaryDirectory()) as folder:
        upload = await uploads.receive(request, Path(folder), MAX_BYTES)
        content = upload.path.read_bytes() if upload.filename is not None else None
    return ImportRequest.of(content, upload.filename, upload.fields)


def _import(database: Database, asked: ImportRequest) -> dict[str, Any]:
    table = asked.table()
    with database.writing() as session:
        experiment, made = import_table(
            session,
            table,
            experiment=asked.experiment,
            source=asked.source,
            base=asked.base,
            setup=asked.setup,
        )
        counts = experiments.count_runs(session, [experiment.id or 0])
        return {
            "experiment": experiments.to_api(experiment, counts[experiment.id or 0]),
            "runs": [runs.to_api(run, experiment) for run in made],
            "warnings": table.warnings,
        }
