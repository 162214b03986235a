"""/runs/{id}: the page of a run, its live part, and the forms on it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from sqlmodel import Session

from app import logs, runs
from app.db import MAX_ID
from app.errors import FieldError, Invalid, NotFound
from app.settings import Settings
from app.web.deps import Id, Reading, SettingsDep, Wake, Writing
from app.web.run_page import log as run_log
from app.web.run_page import view
from app.web.run_page.log import Place
from app.web.run_page.view import Asked
from app.web.security import PageForm
from app.web.templating import page

router = APIRouter(prefix="/runs/{run_id}", include_in_schema=False)

Offset = Annotated[int | None, Query(ge=0, le=MAX_ID)]


def _asked(
    request: Request,
    rows: str = "",
    from_row: Annotated[int, Query(alias="from", ge=0, le=1_000_000)] = 0,
    at: Offset = None,
    before: Offset = None,
    find: Annotated[str, Query(max_length=200)] = "",
    keep: bool = False,
) -> Asked:
    place = Place(at, before, find.strip())
    return Asked(str(request.base_url), order=rows, offset=from_row, log=place, keep=keep)


AskedDep = Annotated[Asked, Depends(_asked)]


@router.get("")
def show(
    request: Request, run_id: Id, session: Reading, settings: SettingsDep, asked: AskedDep, queue: str = ""
) -> HTMLResponse:
    shown = view.build(session, settings, run_id, asked)
    if queue == "unreachable" and shown["run"].status == "queued":
        shown["warnings"] = [*shown["warnings"], runs.QUEUE_UNREACHABLE]
    return page(request, "runs/show.html", **shown)


@router.get("/live")
def live(request: Request, run_id: Id, session: Reading, settings: SettingsDep, asked: AskedDep) -> HTMLResponse:
    """What the page includes, as it is now; with `keep`, without what its script keeps up itself."""
    return page(request, "runs/_live.html", **view.build(session, settings, run_id, asked))


@router.get("/figures")
def figures(request: Request, run_id: Id, session: Reading) -> HTMLResponse:
    """How far it is: what a page asks for with every step, and so no more than that."""
    return page(request, "runs/_figures.html", **view.progress_of(session, run_id))


@router.get("/values")
def values(request: Request, run_id: Id, session: Reading) -> HTMLResponse:
    """The table behind the charts, with the points that there are by now."""
    return page(request, "runs/_values.html", **view.values_of(session, run_id))


@router.get("/log")
def log(run_id: Id, session: Reading, settings: SettingsDep) -> FileResponse:
    runs.get_run(session, run_id)
    file = logs.path(settings, run_id)
    if not file.is_file():
        raise NotFound(f"Run {run_id} has no log yet.")
    return FileResponse(file, media_type="text/plain; charset=utf-8", filename=f"run-{run_id}.log")


@router.get("/log/lines")
def log_lines(
    request: Request,
    run_id: Id,
    session: Reading,
    settings: SettingsDep,
    after: Offset = None,
    before: Offset = None,
    at: Offset = None,
) -> HTMLResponse:
    """A stretch of the log as the page shows it: what came since, what was before, what is around; else its end."""
    runs.get_run(session, run_id)
    place = Place(at, before)
    found = run_log.shown(settings, run_id, place) if after is None else run_log.after(settings, run_id, after)
    return page(request, "runs/_more_log.html", log=found)


@router.post("/edit")
def edit(request: Request, run_id: Id, form: PageForm, session: Writing, settings: SettingsDep) -> Response:
    typed = {name: str(form.get(name, "")).replace("\r\n", "\n") for name in ("name", "notes", "tags")}
    try:
        runs.patch_run(session, run_id, typed | {"tags": typed["tags"].split(",")})
    except Invalid as invalid:
        session.rollback()
        return _edit_again(request, session, settings, run_id, typed, invalid.errors)
    return _to(run_id)


def _edit_again(
    request: Request,
    session: Session,
    settings: Settings,
    run_id: int,
    typed: dict[str, str],
    errors: list[FieldError],
) -> HTMLResponse:
    shown: dict[str, Any] = view.build(session, settings, run_id, Asked(str(request.base_url)))
    shown |= {"edited": typed, "edit_errors": errors}
    return page(request, "runs/show.html", status_code=Invalid.status, **shown)


@router.post("/cancel")
def cancel(run_id: Id, _form: PageForm, session: Writing) -> RedirectResponse:
    runs.cancel_run(session, run_id)
    return _to(run_id)


@router.post("/retry")
def retry(run_id: Id, form: PageForm, session: Writing, wake: Wake) -> RedirectResponse:
    runs.retry_run(session, run_id, fresh=form.get("fresh") == "true")
    return _to(run_id, "" if wake(run_id) else "?queue=unreachable")


@router.post("/delete")
def delete(run_id: Id, _form: PageForm, session: Writing, settings: SettingsDep) -> RedirectResponse:
    runs.delete_runs(session, settings, [run_id])
    return RedirectResponse("/", status_code=303)


def _to(run_id: int, query: str = "") -> RedirectResponse:
    return RedirectResponse(f"/runs/{run_id}{query}", status_code=303)
