"""/runs/{id}/exports: the part of a run's page that merges its adapter and copies it to a hub."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from app import errands, exports
from app.exports import MERGE, PUSH
from app.runs import get_run
from app.web.deps import Id, Reading, SettingsDep, Writing
from app.web.run_page import exports as part
from app.web.security import PageForm
from app.web.templating import page

router = APIRouter(prefix="/runs/{run_id}/exports", include_in_schema=False)


@router.get("")
def show(request: Request, run_id: Id, session: Reading, settings: SettingsDep) -> HTMLResponse:
    """As the run's page includes it."""
    run = get_run(session, run_id)
    return page(request, "runs/_exports.html", run=run, **part.build(session, settings, run))


@router.post("/merge")
def merge(run_id: Id, session: Writing, settings: SettingsDep, _form: PageForm) -> RedirectResponse:
    exports.ask_merged(session, settings, run_id)
    return _back(run_id)


@router.post("/push")
def push(run_id: Id, session: Writing, settings: SettingsDep, form: PageForm) -> RedirectResponse:
    exports.ask_push(
        session,
        settings,
        run_id,
        what="merged" if form.get("what") == "merged" else "adapter",
        repository=str(form.get("repository", "")).strip(),
        private=form.get("private") == "true",
    )
    return _back(run_id)


@router.post("/cancel")
def cancel(run_id: Id, session: Writing, form: PageForm) -> RedirectResponse:
    kind = PUSH if form.get("kind") == PUSH else MERGE
    if known := exports.under_way(session, run_id, kind):
        errands.cancel(session, known.id or 0)
    return _back(run_id)


@router.post("/delete")
def delete(run_id: Id, session: Writing, settings: SettingsDep, _form: PageForm) -> RedirectResponse:
    exports.delete_merged(session, settings, run_id)
    return _back(run_id)


def _back(run_id: int) -> RedirectResponse:
    return RedirectResponse(f"/runs/{run_id}#exports", status_code=303)
