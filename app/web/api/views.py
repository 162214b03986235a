"""/views: tables of runs that somebody wants to come back to."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import Field

from app import views
from app.web.api.bodies import Body
from app.web.api.documented import BODY, problems
from app.web.api.shapes import Listed, Shape
from app.web.deps import Id, Reading, Writing

router = APIRouter(prefix="/views", tags=["views"], responses=problems(422))


class NewView(Body):
    name: str
    query: str = Field(description="As in the table's address: `filter=lora.r+%3D+8&sort=-eval/bleu`.")


class View(Shape):
    id: int
    name: str
    query: str
    created_at: datetime


@router.get("", response_model=Listed[View], summary="List saved views")
def list_all(session: Reading) -> dict[str, Any]:
    """All of them, by name."""
    items = [views.to_api(view) for view in views.list_views(session)]
    return {"items": items, "next_cursor": None, "total": len(items)}


@router.post("", status_code=201, response_model=View, responses=problems(*BODY), summary="Save a view")
def save(body: NewView, session: Writing, response: Response) -> dict[str, Any]:
    """Of the same name, the new one takes the old one's place."""
    view = views.save_view(session, body.name, body.query)
    response.headers["Location"] = f"/api/v1/views/{view.id}"
    return views.to_api(view)


@router.get("/{view_id}", response_model=View, responses=problems(404), summary="Show a saved view")
def show(view_id: Id, session: Reading) -> dict[str, Any]:
    return views.to_api(views.get_view(session, view_id))


@router.delete("/{view_id}", status_code=204, responses=problems(404), summary="Delete a saved view")
def delete(view_id: Id, session: Writing) -> None:
    views.delete_view(session, view_id)
