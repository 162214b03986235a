"""From a record in any of the shapes that people use to a Row.

Pairs: instruction/response, instruction/input/output (Alpaca), prompt/completion, question/answer.
Conversations: `messages`, or `conversations` (ShareGPT). Either may have a `group`.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from app.data.dataset_import import conversations
from app.data.dataset_import.records import clean
from app.data.rows import Row

# For each part of a row the column names it is looked for under, the first that is there. Compared without case.
NAMES: dict[str, tuple[str, ...]] = {
    "prompt": ("instruction", "prompt", "question"),
    "input": ("input",),
    "response": ("response", "output", "completion", "answer"),
    "messages": ("messages", "conversations"),
    "group": ("group",),
}
PART_OF = {name: part for part, names in NAMES.items() for name in names}


class NoShape(ValueError):
    """The columns of a record tell neither a pair nor a conversation."""


class Plan(NamedTuple):
    """The column of each part of a row; None where there is none."""

    prompt: str | None = None
    input: str | None = None
    response: str | None = None
    messages: str | None = None
    group: str | None = None


@lru_cache(maxsize=256)
def plan(columns: tuple[str, ...], mapping: tuple[tuple[str, str], ...] = ()) -> Plan:
    """Which columns to read; `mapping` holds (part, column) as a person stated them. Raises NoShape."""
    stated = dict(mapping)
    found = {part: column for part, column in mapping if column in columns}
    free = {name.strip().casefold(): name for name in columns if name not in found.values()}
    for part, names in NAMES.items():
        column = next((free[name] for name in names if name in free), None)
        if column is not None and part not in stated:
            found[part] = column
    if "messages" in found and not {"prompt", "response"} & stated.keys():
        return Plan(messages=found["messages"], group=found.get("group"))
    if "prompt" in found and "response" in found:
        return Plan(**(found | {"messages": None}))
    raise NoShape(_no_shape(columns, stated, found))


def _no_shape(columns: tuple[str, ...], mapping: Mapping[str, str], found: Mapping[str, str]) -> str:
    if absent := [column for column in mapping.values() if column not in columns]:
        return f'has no column "{absent[0]}"; it has {_listed(columns)}'
    part = "response" if "prompt" in found else "prompt"
    return (
        f"has no column for the {part} (looked for {', '.join(NAMES[part])}); it has {_listed(columns)}. "
        'Name the columns, for example {"prompt": "...", "response": "..."}'
    )


def _listed(columns: tuple[str, ...]) -> str:
    shown = ", ".join(f'"{name[:40]}"' for name in columns[:10])
    return f"{shown} and {len(columns) - 10} more" if len(columns) > 10 else shown or "none"


def to_row(values: Mapping[str, Any], chosen: Plan) -> Row:
    """The row of a record; raises ValueError with a sentence about what is wrong with it."""
    group = _text(values, chosen.group).strip() or None
    if chosen.messages is not None:
        row = Row(messages=conversations.turns(values.get(chosen.messages)), group=group)
    else:
        row = Row(
            instruction=_text(values, chosen.prompt),
            input=_text(values, chosen.input),
            response=_text(values, chosen.response),
            group=group,
        )
        if not row.prompt:
            raise ValueError("has an empty prompt")
        if not row.response.strip():
            raise ValueError("has an empty response")
    return row


def _text(values: Mapping[str, Any], column: str | None) -> str:
    """A column's value as text; nothing where there is none. Numbers are text, lists and objects are not."""
    value = values.get(column) if column is not None else None
    if isinstance(value, str):
        return clean(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, (bool, int, float)):
        return str(value).lower()
    raise ValueError(f'has a {type(value).__name__} in "{column}", where text is needed')
