"""The saved views in the table's menu."""

from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from sqlmodel import Session

from app import views
from app.web.board_page.query import BoardQuery


@dataclass(frozen=True)
class View:
    id: int
    name: str
    link: str
    is_shown: bool


def saved(session: Session, shown: BoardQuery) -> list[View]:
    """Each with its page; `shown` is one of them wherever in its rows the reader is."""
    now = replace(shown, cursor="").text
    return [
        View(view.id or 0, view.name, query.link(), query.text == now)
        for view in views.list_views(session)
        for query in [replace(BoardQuery.read(dict(parse_qsl(view.query))), cursor="")]
    ]
