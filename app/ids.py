"""Ids as they come in addresses and forms."""

from app.db import MAX_ID


def parse(text: str) -> int | None:
    """The id that a text is; None for all that names no row, a number too long for the database included."""
    if not text.isascii() or not text.isdigit() or len(text) > len(str(MAX_ID)):
        return None
    return number if (number := int(text)) <= MAX_ID else None
