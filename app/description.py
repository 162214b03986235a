"""What people write about a run: its name, its notes and its tags, cleaned and held to lengths that pages can show."""

from collections.abc import Iterable, Mapping
from typing import Any

from app.errors import Invalid

NAME_LENGTH = 200
NOTES_LENGTH = 10_000
TAG_LENGTH = 50
MOST_TAGS = 20


def cleaned(changes: Mapping[str, Any], *, name_needed: bool = True) -> dict[str, Any]:
    """Any of `name`, `notes` and `tags`; raises Invalid for what is too long."""
    found: dict[str, Any] = {}
    if "name" in changes:
        found["name"] = " ".join(changes["name"].split())
        if name_needed and not found["name"]:
            raise Invalid.one("name", "A run needs a name")
        _at_most(NAME_LENGTH, "name", found["name"])
    if "notes" in changes:
        found["notes"] = changes["notes"].strip()
        _at_most(NOTES_LENGTH, "notes", found["notes"])
    if "tags" in changes:
        found["tags"] = tags(changes["tags"])
    return found


def tags(texts: Iterable[str]) -> list[str]:
    """Each tag once, in the order given."""
    cleaned = list(dict.fromkeys(tag for tag in (" ".join(tag.split()) for tag in texts) if tag))
    for tag in cleaned:
        _at_most(TAG_LENGTH, "tags", tag)
    if len(cleaned) > MOST_TAGS:
        raise Invalid.one("tags", f"At most {MOST_TAGS} tags")
    return cleaned


def _at_most(length: int, field: str, text: str) -> None:
    if len(text) > length:
        raise Invalid.one(field, f"At most {length:,} characters")
