"""One data set: its statistics and rows, its lengths in tokens, a row as a model reads it, and rows that repeat."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse

from app.data import dataset_rows, datasets, shortened
from app.db import Database
from app.errors import NotFound
from app.settings import Settings
from app.web import token_readings
from app.web.dataset_page import histogram, readers, repeats, told
from app.web.dataset_page.readers import Picker
from app.web.dataset_page.repeats import Kind
from app.web.dataset_page.told import Told
from app.web.deps import DatabaseDep, Id, Reading, SettingsDep
from app.web.templating import page

router = APIRouter(prefix="/datasets", include_in_schema=False)

LISTED = 1000
ROWS_PER_PAGE = 25
FIRST_REPEATS = 5

Model = Annotated[str, Query(max_length=500)]
Template = Annotated[str, Query(max_length=20_000)]
MaxLength = Annotated[int | None, Query(ge=16, le=131_072)]


@router.get("/{dataset_id}")
async def show(
    request: Request,
    dataset_id: Id,
    database: DatabaseDep,
    settings: SettingsDep,
    search: str = "",
    cursor: str | None = None,
    model: Model = "",
    template: Template = "",
    max_length: MaxLength = None,
) -> HTMLResponse:
    """Tokens are counted where a model was picked; else they are shown where they have been."""
    picker = await run_in_threadpool(_picker, database, settings, dataset_id, model, template, max_length)
    if picker.reading is None:
        counted = Told()
    elif model:
        counted = await told.lengths(request, dataset_id, picker.reading)
    else:
        counted = Told(await run_in_threadpool(token_readings.counted, settings, dataset_id, picker.reading))
    parts = {"picker": picker, "told": counted, "draw": histogram.draw, "search": search, "cursor": cursor}
    return await run_in_threadpool(_shown, request, database, settings, dataset_id, parts)


@router.get("/{dataset_id}/rows/{number}")
async def row(
    request: Request,
    dataset_id: Id,
    number: Id,
    database: DatabaseDep,
    settings: SettingsDep,
    model: Model = "",
    template: Template = "",
    max_length: MaxLength = None,
) -> HTMLResponse:
    """One row, counted from 1 as on the page, exactly as the picked base model reads it."""
    picker = await run_in_threadpool(_picker, database, settings, dataset_id, model, template, max_length)
    shown = await told.row(request, dataset_id, number - 1, picker.reading) if picker.reading else Told()
    return await run_in_threadpool(_row_page, request, database, settings, dataset_id, number, picker, shown)


@router.get("/{dataset_id}/repeats")
def repeated(
    request: Request,
    dataset_id: Id,
    session: Reading,
    settings: SettingsDep,
    kind: Kind | None = None,
    start: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> HTMLResponse:
    dataset = datasets.get(session, dataset_id)
    found = repeats.load(settings.dataset_dir(dataset_id), kind, start)
    return page(
        request,
        "datasets/repeats.html",
        dataset=dataset,
        repeats=found,
        kind=found.kind if found else kind,
        start=start,
        titles=repeats.TITLES,
        per_page=repeats.PER_PAGE,
    )


def _picker(
    database: Database, settings: Settings, dataset_id: int, model: str, template: str, max_length: int | None
) -> Picker:
    with database.reading() as session:
        datasets.get(session, dataset_id)
        return readers.picker(session, settings, dataset_id, model, template, max_length)


def _shown(
    request: Request, database: Database, settings: Settings, dataset_id: int, parts: dict[str, Any]
) -> HTMLResponse:
    folder = settings.dataset_dir(dataset_id)
    rows = dataset_rows.page(folder, limit=ROWS_PER_PAGE, cursor=parts["cursor"], search=parts["search"])
    picker, row_tokens = parts["picker"], {}
    if parts["told"].answer:
        numbers = [item.number for item in rows.items]
        row_tokens = token_readings.of_rows(settings, dataset_id, picker.reading, numbers)
    with database.reading() as session:
        others = [other for other in datasets.list_datasets(session, limit=LISTED).items if other.id != dataset_id]
        return page(
            request,
            "datasets/show.html",
            dataset=datasets.get(session, dataset_id),
            rows=rows,
            row_tokens=row_tokens,
            runs=datasets.runs_using(session, [dataset_id]).get(dataset_id, 0),
            others=others,
            shortened=shortened.of_dataset(session, dataset_id),
            repeats=repeats.load(folder, "same", limit=FIRST_REPEATS),
            **parts,
        )


def _row_page(
    request: Request, database: Database, settings: Settings, dataset_id: int, number: int, picker: Picker, shown: Told
) -> HTMLResponse:
    with database.reading() as session:
        dataset = datasets.get(session, dataset_id)
        found = dataset_rows.page(settings.dataset_dir(dataset_id), limit=1, offset=number - 1).items
        if not found:
            raise NotFound(f"'{dataset.name}' has {dataset.rows:,} rows, and none with number {number:,}.")
        return page(request, "datasets/row.html", dataset=dataset, item=found[0], picker=picker, told=shown)
