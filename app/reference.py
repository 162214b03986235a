"""docs/reference.md, written from the code: `python -m app.reference` prints it, a test holds the file against it."""

import typing
from collections.abc import Sequence
from typing import Any, Literal

from pydantic_core import PydanticUndefined

from app.metrics import CATALOGUE
from app.run_config import LABELS, UNITS, fields
from app.settings import Settings
from app.status import TRANSITIONS

HEAD = """# Reference

Written from the code by `make docs`; a test fails when it drifts.
"""


def render() -> str:
    return "\n".join([HEAD, _environment(), _run_configuration(), _metrics(), _statuses()])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def _environment() -> str:
    rows = [
        (
            f"`TUNEBOARD_{name.upper()}`",
            f"`{field.default}`" if str(field.default) else "(none)",
            field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]
    rows.append(
        (
            "`HF_TOKEN`",
            "(none)",
            "Given to the steps that download a base model or copy a run to a hub, and to nothing else.",
        )
    )
    return "## Environment\n\n" + _table(("variable", "default", "what it is"), rows)


def _run_configuration() -> str:
    rows = [
        (f"`{name}`", LABELS[name], _default(field.default), _values(field), _sentence(field.description, UNITS[name]))
        for name, field in fields()
    ]
    return "## Run configuration\n\n" + _table(("name", "label", "default", "allowed", "what it does"), rows)


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "(needed)"
    return "(none)" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _values(field: Any) -> str:
    limits = {"Gt": "> ", "Ge": ">= ", "Lt": "< ", "Le": "<= "}
    bounds = [f"{limits[type(m).__name__]}{_bound(m)}" for m in field.metadata if type(m).__name__ in limits]
    return ", ".join(bounds) or _type_name(field.annotation)


def _bound(limit: Any) -> Any:
    """The one number that a bound of pydantic's carries."""
    return next(getattr(limit, name) for name in ("gt", "ge", "lt", "le") if hasattr(limit, name))


def _type_name(annotation: Any) -> str:
    names = {str: "text", bool: "true, false", int: "whole number", float: "number"}
    if annotation in names:
        return names[annotation]
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return ", ".join(str(choice) for choice in args)
    found = [_type_name(arg) for arg in args if arg is not type(None)]
    return "list of " + found[0] if origin is list else ", ".join(found)


def _sentence(text: str | None, unit: str) -> str:
    return f"{text} In {unit}." if unit else text or ""


def _metrics() -> str:
    rows = [
        (
            f"`{m.name}`",
            f"`{m.short}`",
            m.label,
            m.unit or "-",
            f"{m.direction} is better" if m.direction else "-",
            m.help,
        )
        for m in CATALOGUE
    ]
    return "## Metrics\n\n" + _table(("series", "in results", "label", "unit", "direction", "definition"), rows)


def _statuses() -> str:
    rows = [(f"`{s}`", ", ".join(f"`{to}`" for to in sorted(ways)) or "(the end)") for s, ways in TRANSITIONS.items()]
    return "## Status of a run\n\n" + _table(("status", "may become"), rows)


if __name__ == "__main__":
    print(render(), end="")  # noqa: T201 - this is what the command is for
