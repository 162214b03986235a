"""Saved views: tables of runs by name. A view is the query of the table's address, in which all of its state is."""

from typing import Any

from sqlmodel import Session, col, func, select

from app.db import iso
from app.errors import Invalid, NotFound
from app.models import SavedView

NAME_LENGTH = 100
QUERY_LENGTH = 8000
MOST = 500


def list_views(session: Session) -> list[SavedView]:
    """By name, whatever its capitals."""
    return list(session.exec(select(SavedView).order_by(func.lower(SavedView.name), col(SavedView.id))))


def get_view(session: Session, view_id: int) -> SavedView:
    view = session.get(SavedView, view_id)
    if view is None:
        raise NotFound(f"There is no view {view_id}.")
    return view


def save_view(session: Session, name: str, query: str) -> SavedView:
    """Under a new name, or in place of what the name stood for so far."""
    name, query = " ".join(name.split()), query.strip().removeprefix("?")
    if not name:
        raise Invalid.one("name", "A view needs a name")
    if len(name) > NAME_LENGTH:
        raise Invalid.one("name", f"At most {NAME_LENGTH} characters")
    if len(query) > QUERY_LENGTH:
        raise Invalid.one("query", f"At most {QUERY_LENGTH:,} characters")
    view = session.exec(select(SavedView).where(SavedView.name == name)).first() or _new(session, name)
    view.query = query
    session.add(view)
    session.commit()
    return view


def delete_view(session: Session, view_id: int) -> None:
    session.delete(get_view(session, view_id))
    session.commit()


def to_api(view: SavedView) -> dict[str, Any]:
    return {"id": view.id, "name": view.name, "query": view.query, "created_at": iso(view.created_at)}


def _new(session: Session, name: str) -> SavedView:
    if session.exec(select(func.count()).select_from(SavedView)).one() >= MOST:
        raise Invalid.one("name", f"There are {MOST} views already: delete one that nobody needs")
    return SavedView(name=name, query="")
