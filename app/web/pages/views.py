"""Saved views, as the table's page saves and deletes them."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from app import views
from app.web.board_page.query import BoardQuery
from app.web.deps import Id, Writing
from app.web.security import PageForm

router = APIRouter(prefix="/leaderboard/views", include_in_schema=False)


@router.post("")
def save(session: Writing, form: PageForm) -> Response:
    query = _query(form)
    views.save_view(session, str(form.get("view", "")), query.text)
    return RedirectResponse(query.link(), status_code=303)


@router.post("/{view_id}/delete")
def delete(view_id: Id, session: Writing, form: PageForm) -> Response:
    """Back to the table as it is shown, which does not need the view."""
    views.delete_view(session, view_id)
    query = _query(form)
    return RedirectResponse(query.link(cursor=query.cursor), status_code=303)


def _query(form: FormData) -> BoardQuery:
    return BoardQuery.read({name: str(value) for name, value in form.items()})
