"""Rows that say the same, listed at the import of a data set: equal prompts, and prompts that nearly repeat another."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from app.data.row_keys import KEY
from app.disk import sync

DUPLICATES_FILE = "duplicates.json"
# So many are listed; how many there are stands in the statistics.
MOST_GROUPS, MOST_ROWS, MOST_PAIRS = 500, 20, 500
# Keys are looked at in parts, so that memory does not grow with the rows.
ROWS_PER_PART = 500_000


@dataclass(frozen=True)
class Same:
    """Rows with one prompt, whatever its case and punctuation; numbers from 0, the first of them if there are many."""

    rows: list[int]
    count: int
    same_response: bool


@dataclass(frozen=True)
class Duplicates:
    """`across` pairs a held-out row of the default split with a training row, `inside` two training rows."""

    same: list[Same] = field(default_factory=list)
    across: list[tuple[int, int]] = field(default_factory=list)
    inside: list[tuple[int, int]] = field(default_factory=list)


def find_same(marks: bytes) -> list[Same]:
    """The largest groups first; `marks` holds 32 bytes a row, the keys of its prompt and of prompt with response."""
    parts = 1 + len(marks) // (2 * KEY * ROWS_PER_PART)
    found = [group for part in range(parts) for group in _groups(marks, part, parts)]
    found.sort(key=lambda rows: (-len(rows), rows[0]))
    return [Same(rows[:MOST_ROWS], len(rows), _agree(marks, rows)) for rows in found[:MOST_GROUPS]]


def _groups(marks: bytes, part: int, parts: int) -> list[list[int]]:
    """Rows by prompt, of one part of all prompts, where there is more than one."""
    first: dict[bytes, int] = {}
    groups: dict[bytes, list[int]] = {}
    for row in range(len(marks) // (2 * KEY)):
        at = 2 * KEY * row
        if marks[at] % parts != part:
            continue
        key = marks[at : at + KEY]
        if key in first:
            groups.setdefault(key, [first[key]]).append(row)
        else:
            first[key] = row
    return list(groups.values())


def _agree(marks: bytes, rows: Sequence[int]) -> bool:
    return len({marks[2 * KEY * row + KEY : 2 * KEY * (row + 1)] for row in rows}) == 1


def same_prompt(marks: bytes, one: int, other: int) -> bool:
    return marks[2 * KEY * one : 2 * KEY * one + KEY] == marks[2 * KEY * other : 2 * KEY * other + KEY]


def write(folder: Path, found: Duplicates) -> None:
    file = folder / DUPLICATES_FILE
    file.write_text(json.dumps(asdict(found)), encoding="utf-8")
    sync(file)


def read(folder: Path) -> Duplicates | None:
    """None where the data set was imported by a version that did not list them."""
    try:
        stored = json.loads((folder / DUPLICATES_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    pairs = {name: [(one, other) for one, other in stored[name]] for name in ("across", "inside")}
    return Duplicates([Same(**same) for same in stored["same"]], **pairs)
