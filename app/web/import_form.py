"""The form that brings in results from elsewhere: what was typed, and what an import would make of it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.errors import FieldError, Invalid
from app.importing import import_request, result_tables
from app.importing.import_request import PASTED, ImportRequest
from app.importing.result_tables import StatedTable
from app.metrics import COMPARED
from app.run_config import LABELS
from app.web.numbers import setting
from app.web.uploads import Upload

# What the table rests on: field of `setup`, its label, and how it is typed.
SETUP = {
    "base_model": ("Base model", "text"),
    "dataset": ("Data", "text"),
    "train_rows": ("Training rows", "number"),
    "gradient_accumulation_steps": ("Accumulation", "number"),
}
WHOLE = frozenset({"train_rows", "gradient_accumulation_steps"})
LEFT_OUT = "-"


@dataclass(frozen=True)
class ColumnChoice:
    """One column of the table: what it is taken for, and the field of the form that says otherwise."""

    number: int
    name: str
    target: str | None


def typed_in(upload: Upload) -> dict[str, str]:
    """The form's texts; a file takes the place of what was pasted, so that it is there when the form comes back."""
    typed = dict(upload.fields)
    if upload.filename is not None:
        typed["source"] = upload.filename
        typed["text"] = import_request.decoded(upload.path.read_bytes())
    return typed


def read(typed: Mapping[str, str]) -> ImportRequest:
    """Raises Invalid by field."""
    text = typed.get("text", "")
    if not text.strip():
        raise Invalid.one("file", "Choose a file, or paste the table")
    stated = {
        "base": json.dumps(_numbers(typed, "base.", [m.short for m in COMPARED])),
        "setup": json.dumps(_setup(typed)),
        "columns": json.dumps(dict(_columns(typed))),
    }
    source = typed.get("source", "").strip() or PASTED
    request = ImportRequest.of(text.encode(), source, {"experiment": typed.get("experiment", ""), **stated})
    # A name made of digits is a name here: the form has no ids.
    return ImportRequest(**{**vars(request), "experiment": typed.get("experiment", "").strip()})


def choices(table: StatedTable) -> list[ColumnChoice]:
    return [ColumnChoice(number, name, target) for number, (name, target) in enumerate(table.columns.items())]


def settings_of(table: StatedTable) -> list[str]:
    """The settings that the table states, in its order."""
    return [target for target in table.columns.values() if target in LABELS]


def shown(value: object) -> str:
    return setting(value)


def targets() -> Mapping[str, str]:
    return result_tables.TARGETS


def _setup(typed: Mapping[str, str]) -> dict[str, object]:
    texts = {name: text for name in SETUP if name not in WHOLE and (text := typed.get(f"setup.{name}", "").strip())}
    return {**texts, **_numbers(typed, "setup.", sorted(WHOLE))}


def _numbers(typed: Mapping[str, str], prefix: str, names: list[str]) -> dict[str, float]:
    """What was typed as numbers; raises Invalid for all that is none."""
    texts = {name: text for name in names if (text := typed.get(prefix + name, "").strip())}
    found = {name: _number(text) for name, text in texts.items()}
    if wrong := [FieldError(prefix + name, "Give a number") for name, value in found.items() if value is None]:
        raise Invalid(wrong)
    return {name: value for name, value in found.items() if value is not None}


def _number(text: str) -> float | None:
    plain = text.replace("\N{MINUS SIGN}", "-").replace(",", "")
    try:
        return int(plain) if plain.lstrip("+-").isdecimal() else float(plain)
    except ValueError:
        return None


def _columns(typed: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """What the person chose for each column that was shown."""
    for name, header in typed.items():
        place, chosen = name.removeprefix("header."), typed.get(f"column.{name.removeprefix('header.')}", "")
        if name.startswith("header.") and place.isdecimal() and chosen:
            yield header, None if chosen == LEFT_OUT else chosen
