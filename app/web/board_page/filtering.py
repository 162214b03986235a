"""The filter of the table: its conditions as chips to take away, a menu that adds one, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.board.filter.error import FilterError
from app.board.filter.syntax import Operator
from app.board.filter.terms import filter_terms, with_term, without
from app.models import Experiment
from app.web.board_page.query import BoardQuery

# In the words of the menu; which of them suit a column, the filter says where one does not.
OPERATORS: dict[Operator, str] = {
    "=": "is",
    "!=": "is not",
    "<": "below",
    "<=": "at most",
    ">": "above",
    ">=": "at least",
    "~": "contains",
    "in": "one of (with commas)",
    "not in": "none of (with commas)",
}


@dataclass(frozen=True)
class Chip:
    """A condition, in words or as it was typed, and the page without it."""

    text: str
    link: str
    is_typed: bool = True


@dataclass(frozen=True)
class Mistake:
    """A filter that cannot be read: the text in three parts, of which the middle one is wrong, and a sentence."""

    before: str
    wrong: str
    after: str
    sentence: str
    position: int

    @classmethod
    def of(cls, text: str, error: FilterError) -> "Mistake":
        end = error.position + error.length
        return cls(text[: error.position], text[error.position : end], text[end:], f"{error.message}.", error.position)


def read(query: BoardQuery) -> tuple[BoardQuery, Mistake | None]:
    """The query, less a filter that cannot be read."""
    try:
        _ = query.runs
    except FilterError as error:
        return replace(query, filter=""), Mistake.of(query.filter, error)
    return query, None


def chips(query: BoardQuery, picked: Experiment | None) -> list[Chip]:
    found = []
    if query.experiment:
        name = picked.name if picked else query.experiment
        found.append(Chip(f"experiment is {name}", query.link(experiment=""), is_typed=False))
    if query.status:
        found.append(Chip(f"status is {query.status}", query.link(status=""), is_typed=False))
    terms = enumerate(filter_terms(query.filter))
    return [*found, *(Chip(term, query.link(filter=without(query.filter, place))) for place, term in terms)]


def added(query: BoardQuery, params: Mapping[str, str]) -> BoardQuery:
    """With the condition of the menu; one that makes no sense is added as it is, for the page to point at."""
    column, operator, value = (params.get(name, "").strip() for name in ("add", "operator", "value"))
    try:
        return replace(query, filter=with_term(query.filter, column, operator, value), cursor="")
    except FilterError:
        term = f"{column} {operator} {value}".strip()
        return replace(query, filter=f"{query.filter} and {term}" if query.filter else term, cursor="")
