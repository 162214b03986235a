"""What somebody asks when they bring in a table of finished runs: the text, what its columns are, what it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app import ids, json_text
from app.errors import FieldError, Invalid
from app.importing import imports, result_tables
from app.importing.result_tables import StatedTable

MAX_BYTES = 2_000_000
PASTED = "pasted text"


@dataclass(frozen=True)
class ImportRequest:
    """`source` is what the file was called; `base` and `setup` as `imports.import_table` takes them."""

    text: str
    source: str
    experiment: int | str
    base: dict[str, Any] = field(default_factory=dict)
    setup: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, content: bytes | None, filename: str | None, fields: Mapping[str, str]) -> "ImportRequest":
        """From a form: `experiment`, and `base`, `setup` and `columns` as JSON. Digits are an id."""
        if content is None:
            raise Invalid.one("file", "This is needed")
        experiment = fields.get("experiment", "").strip()
        if not experiment:
            raise Invalid.one("experiment", "This is needed: the name or the id of an experiment")
        return cls(
            text=decoded(content),
            source=filename or PASTED,
            experiment=_id_or_name(experiment),
            base=_object(fields, "base"),
            setup=_object(fields, "setup"),
            columns=_columns(fields),
        )

    def table(self) -> StatedTable:
        """The table as it is understood; raises Invalid with the lines that are not, or what the base cannot be."""
        media = result_tables.media_of(self.source, self.text)
        table = result_tables.read(self.text, media, self.columns)
        imports.check(self.base, self.setup)
        return table


def preview(request: ImportRequest) -> dict[str, Any]:
    """What an import would store, without storing it."""
    table = request.table()
    columns = [
        {"name": name, "target": target, "label": result_tables.TARGETS[target] if target else None}
        for name, target in table.columns.items()
    ]
    return {"columns": columns, "runs": [vars(run) for run in table.runs], "warnings": table.warnings}


def decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Invalid.one("file", f"line {line} is not UTF-8 text: save the table as UTF-8") from None


def _id_or_name(text: str) -> int | str:
    if not text.isdecimal():
        return text
    found = ids.parse(text)
    if found is None:
        raise Invalid.one("experiment", "There is no experiment of that id")
    return found


def _object(fields: Mapping[str, str], name: str) -> dict[str, Any]:
    text = fields.get(name, "").strip()
    try:
        found = json_text.parse(text) if text else {}
    except ValueError as error:
        raise Invalid.one(name, f"This is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Invalid.one(name, "This is a JSON object")
    return {key: value for key, value in found.items() if value is not None}


def _columns(fields: Mapping[str, str]) -> dict[str, str | None]:
    """Null leaves a column out, so here it counts."""
    text = fields.get("columns", "").strip()
    try:
        found = json_text.parse(text) if text else {}
    except ValueError as error:
        raise Invalid.one("columns", f"This is not JSON: {error}") from None
    if not isinstance(found, dict) or not all(value is None or isinstance(value, str) for value in found.values()):
        raise Invalid([FieldError("columns", 'An object of column names: {"My header": "lora.r"}')])
    return found
