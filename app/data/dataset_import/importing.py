"""From a file to the files and the report of a data set."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.data.dataset_import import formats, shapes, statistics
from app.data.dataset_import.records import Record, Unreadable
from app.data.dataset_import.shapes import NoShape, Plan
from app.data.dataset_import.store import MARKS_FILE, PROMPTS_FILE, Store
from app.errors import FieldError, Invalid

# How many bad rows are named, and how many columns: enough to see what is wrong.
SHOWN_ERRORS = 20
SHOWN_COLUMNS = 100


@dataclass
class _Seen:
    """What was met on the way through the file."""

    columns: dict[str, None] = field(default_factory=dict)  # in order
    used: dict[str, str] = field(default_factory=dict)  # part of a row -> column
    bad: int = 0
    errors: list[FieldError] = field(default_factory=list)

    def note(self, columns: tuple[str, ...], plan: Plan) -> None:
        for name in columns[:SHOWN_COLUMNS]:
            if len(self.columns) < SHOWN_COLUMNS:
                self.columns[name] = None
        for part, column in plan._asdict().items():
            if column is not None:
                self.used.setdefault(part, column)

    def refuse(self, field: str, message: str) -> None:
        self.bad += 1
        if len(self.errors) < SHOWN_ERRORS:
            self.errors.append(FieldError(field, _shown(message)))


def _shown(message: str) -> str:
    """Names out of the file stand in it, and may be made of anything."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in message)


def run(source: Path, folder: Path, *, format: str, columns: Mapping[str, str], skip: bool) -> dict[str, Any]:
    """Read `source` into `folder`; the report of the import, or Invalid with the first bad rows."""
    seen = _Seen()
    with Store(folder) as store:
        try:
            for record in formats.read(source, format):
                _add(record, store, tuple(columns.items()), seen)
                if seen.bad and not skip and _is_told(seen):
                    break
        except Unreadable as error:
            seen.refuse("file", str(error))
            skip = False
    _check(seen, store.tally.rows, columns, skip)
    found = statistics.compute(folder, store.tally)
    for name in (PROMPTS_FILE, MARKS_FILE):
        (folder / name).unlink()
    return _report(source, format, seen, store, found)


def _add(record: Record, store: Store, mapping: tuple[tuple[str, str], ...], seen: _Seen) -> None:
    if record.error:
        seen.refuse("file", f"{record.place} {record.error}")
        return
    columns = tuple(record.values)
    try:
        plan = shapes.plan(columns, mapping)
        store.add(shapes.to_row(record.values, plan))
        seen.note(columns, plan)
    except NoShape as error:
        seen.refuse("columns", f"{record.place} {error}")
    except ValueError as error:
        seen.refuse("file", f"{record.place} {error}")


def _is_told(seen: _Seen) -> bool:
    """Whether reading on would tell nothing new: enough rows are named, or the columns are wrong from the start."""
    return len(seen.errors) == SHOWN_ERRORS or (seen.errors[0].field == "columns" and not seen.columns)


def _check(seen: _Seen, rows: int, mapping: Mapping[str, str], skip: bool) -> None:
    if seen.errors and (not skip or not rows):
        raise Invalid(seen.errors)
    if not rows:
        raise Invalid.one("file", "The file has no rows")
    for part, column in mapping.items():
        if part not in seen.used:
            raise Invalid.one("columns", f'No row has a column "{column}" (stated for {part})')


def _report(source: Path, format: str, seen: _Seen, store: Store, found: dict[str, Any]) -> dict[str, Any]:
    with source.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    train_rows, eval_rows = found["train_rows"], found["eval_rows"]
    return {
        "sha256": sha256,
        "format": format,
        "size_bytes": source.stat().st_size,
        "rows": store.tally.rows,
        "train_rows": train_rows,
        "eval_rows": eval_rows,
        "columns": list(seen.columns),
        "skipped_rows": seen.bad,
        "warnings": [*_left_out(seen), *statistics.warnings(found)],
        "statistics": {**found, "used_columns": seen.used, "rows_sha256": store.sha256},
    }


def _left_out(seen: _Seen) -> list[str]:
    named = [f"Left out: {error.message}" for error in seen.errors]
    return [*named, f"Left out: {seen.bad - len(named):,} more rows"] if seen.bad > len(named) else named
