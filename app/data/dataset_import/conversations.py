"""The turns of a conversation: `messages` with role and content, or ShareGPT's `conversations` with from and value."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from app.data.dataset_import import json_files
from app.data.dataset_import.records import clean
from app.data.rows import Message

ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}


def turns(value: Any) -> tuple[Message, ...]:
    """The turns of one row, checked; raises ValueError with a sentence."""
    if isinstance(value, str):  # a table's cell holds them as JSON text
        value = json_files.parse(value)
    if not isinstance(value, list) or not value:
        raise ValueError("has no list of turns")
    messages = [_turn(number, turn) for number, turn in enumerate(value, 1)]
    if messages[0].role == "system" and not messages[0].content.strip():
        del messages[0]
    _check(messages)
    return tuple(messages)


def _turn(number: int, turn: Any) -> Message:
    if not isinstance(turn, Mapping):
        raise ValueError(f"has a turn {number} that is not an object")  # noqa: TRY004 - a bad row, not a bug
    role = turn.get("role", turn.get("from"))
    content = turn.get("content", turn.get("value"))
    if not isinstance(role, str) or role not in ROLES:
        raise ValueError(f"has the role {str(role)[:40]!r} in turn {number}; known are {', '.join(ROLES)}")
    if not isinstance(content, str):
        raise ValueError(f"has no text in turn {number}")  # noqa: TRY004
    return Message(ROLES[role], clean(content))


def _check(messages: list[Message]) -> None:
    """A system turn may come first; then user and assistant take turns, and the assistant has the last word."""
    speakers = [m.role for m in messages if m.role != "system"]
    if "system" in [m.role for m in messages[1:]]:
        raise ValueError("has a system turn that is not the first")
    if speakers[:1] != ["user"]:
        raise ValueError("does not begin with the user's turn")
    if any(one == other for one, other in pairwise(speakers)):
        raise ValueError("has two turns of the same speaker in a row")
    if speakers[-1] != "assistant":
        raise ValueError("ends with the user's turn: there is no answer to learn")
    if empty := [number for number, m in enumerate(messages, 1) if not m.content.strip()]:
        raise ValueError(f"has no text in turn {empty[0]}")
