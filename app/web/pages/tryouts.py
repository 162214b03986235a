"""/tryout: a prompt answered by a base model and by adapters of it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app import errands, tryouts
from app.errors import Invalid, Unavailable
from app.web.deps import Id, Reading, SettingsDep, Writing
from app.web.security import PageForm
from app.web.templating import page
from app.web.tryout_page import view
from app.web.tryout_page.form import Typed

router = APIRouter(prefix="/tryout", include_in_schema=False)


@router.get("")
def new(
    request: Request,
    session: Reading,
    settings: SettingsDep,
    runs: Annotated[list[str] | None, Query()] = None,
    prompt: str = "",
    row: str = "",
) -> HTMLResponse:
    typed = Typed.of_address(runs or (), prompt, row)
    wrong = view.what_is_wrong(session, settings, typed) if typed.runs else {}
    return page(request, "tryouts/show.html", **view.build(session, settings, typed, wrong=wrong))


@router.post("")
def ask(request: Request, session: Writing, settings: SettingsDep, form: PageForm) -> Response:
    typed = Typed.of_form(form)
    try:
        errand = tryouts.ask(session, settings, typed.wanted())
    except (Invalid, Unavailable) as refusal:
        session.rollback()
        wrong = {e.field: e.message for e in refusal.errors} if isinstance(refusal, Invalid) else {"": str(refusal)}
        shown = view.build(session, settings, typed, wrong=wrong)
        return page(request, "tryouts/show.html", status_code=refusal.status, **shown)
    return RedirectResponse(f"/tryout/{errand.id}", status_code=303)


@router.get("/{errand_id}")
def show(request: Request, errand_id: Id, session: Reading, settings: SettingsDep) -> HTMLResponse:
    errand = view.find(session, errand_id)
    return page(request, "tryouts/show.html", **view.build(session, settings, Typed.of_errand(errand), errand=errand))


@router.get("/{errand_id}/answers")
def answers(request: Request, errand_id: Id, session: Reading) -> HTMLResponse:
    """What has been said by now, as the page includes it."""
    return page(request, "tryouts/_answers.html", **view.answers(session, view.find(session, errand_id)))


@router.post("/{errand_id}/cancel")
def cancel(errand_id: Id, session: Writing, _form: PageForm) -> RedirectResponse:
    errands.cancel(session, view.find(session, errand_id).id or 0)
    return RedirectResponse(f"/tryout/{errand_id}", status_code=303)
