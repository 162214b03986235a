"""What values a column has, and so what can be said of it: told from the settings' own types."""

from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from app.board.filter.syntax import Operator
from app.board.run_columns import Column
from app.run_config import fields

# `list`: several texts, of which a comparison looks for one. `flag`: true or false. `mixed`: a flag or a text.
Kind = Literal["number", "text", "flag", "mixed", "list", "time"]

EQUALITY: tuple[Operator, ...] = ("=", "!=", "in", "not in")
ORDER: tuple[Operator, ...] = ("<", "<=", ">", ">=")
OPERATORS: dict[Kind, tuple[Operator, ...]] = {
    "number": (*EQUALITY, *ORDER),
    "text": (*EQUALITY, "~"),
    "flag": EQUALITY,
    "mixed": EQUALITY,
    "list": (*EQUALITY, "~"),
    "time": ("=", "!=", *ORDER),
}
IN_WORDS: dict[Kind, str] = {
    "number": "a number",
    "text": "text",
    "flag": "true or false",
    "mixed": "true, false or a word",
    "list": "a list of texts",
    "time": "a time",
}
OWN: dict[str, Kind] = {
    "id": "number",
    "tags": "list",
    "created_at": "time",
    "started_at": "time",
    "finished_at": "time",
}


def kind(column: Column) -> Kind:
    if column.kind == "setting":
        return _settings()[column.name]
    if column.kind == "run":
        return OWN.get(column.name, "text")
    return "text" if column.name == "device" else "number"


@lru_cache(maxsize=1)
def _settings() -> dict[str, Kind]:
    return {name: _of(_types(field.annotation)) for name, field in fields()}


def _of(types: set[Any]) -> Kind:
    if list in types:
        return "list"
    if bool in types:
        return "mixed" if str in types else "flag"
    return "number" if types & {int, float} else "text"


def _types(annotation: Any) -> set[Any]:
    """The plain types that `int | None`, `Literal["a"] | bool` and `str | list[str]` are made of."""
    origin = get_origin(annotation)
    if origin is Literal:
        return {type(value) for value in get_args(annotation)}
    if origin is list:
        return {list}
    if parts := get_args(annotation):
        return set().union(*map(_types, parts)) - {type(None)}
    return {annotation}
