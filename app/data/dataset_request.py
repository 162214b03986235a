"""What is asked of an import besides its file: as texts of a form, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Self

from app import json_text
from app.data.dataset_import import formats
from app.data.dataset_import.shapes import NAMES, PART_OF
from app.errors import Invalid

FIELDS = frozenset({"name", "format", "columns", "bad_rows", "path"})
BAD_ROWS = ("reject", "skip")
NAME_LENGTH = 200
COLUMN_LENGTH = 500  # they are given to the child process, whose command line is bounded


@dataclass(frozen=True)
class ImportRequest:
    name: str
    format: str
    columns: Mapping[str, str]  # part of a row (app.data.dataset_import.shapes.NAMES) -> column
    skip_bad_rows: bool

    @classmethod
    def of(cls, fields: Mapping[str, str], filename: str) -> Self:
        """Raises Invalid by field, or WrongMediaType where neither the name nor `format` tells of a known format."""
        if unknown := sorted(fields.keys() - FIELDS):
            raise Invalid.one(unknown[0][:100], f"There is no such field; there are file, {', '.join(sorted(FIELDS))}")
        bad_rows = fields.get("bad_rows") or BAD_ROWS[0]
        if bad_rows not in BAD_ROWS:
            raise Invalid.one("bad_rows", f"'{bad_rows[:40]}' is not one of {', '.join(BAD_ROWS)}")
        base = PurePath(filename.replace("\\", "/")).name
        return cls(
            name=_name(fields.get("name", ""), base),
            format=formats.choose(base, fields.get("format")),
            columns=_columns(fields.get("columns", "")),
            skip_bad_rows=bad_rows == "skip",
        )


def _name(stated: str, filename: str) -> str:
    """A name for people; the file's own is cut to fit, a stated one must fit."""
    name = " ".join(stated.split())
    if len(name) > NAME_LENGTH:
        raise Invalid.one("name", f"A name has at most {NAME_LENGTH} characters, this one has {len(name)}")
    name = name or PurePath(filename).stem[:NAME_LENGTH]
    return "".join(c if c.isprintable() else " " for c in name).strip() or "Data set"


def _columns(text: str) -> dict[str, str]:
    if not text.strip():
        return {}
    try:
        stated: Any = json_text.parse(text)
    except ValueError:
        stated = None
    if not isinstance(stated, dict) or not all(isinstance(name, str) for name in stated.values()):
        raise Invalid.one("columns", 'Give a JSON object of names, like {"prompt": "act", "response": "prompt"}')
    columns: dict[str, str] = {}
    for name, column in stated.items():
        part = name if name in NAMES else PART_OF.get(name)
        if part is None:
            raise Invalid.one("columns", f"{name[:40]!r} is no part of a row; the parts are {', '.join(NAMES)}")
        if len(column) > COLUMN_LENGTH:
            raise Invalid.one("columns", f"The {part}'s column has a name of more than {COLUMN_LENGTH} characters")
        if part in columns:
            raise Invalid.one("columns", f"{name[:40]!r} states the {part} a second time")
        if column.strip():
            columns[part] = column
    return columns
