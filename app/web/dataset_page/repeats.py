"""Rows that repeat each other, with their text."""

from collections.abc import Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.data import dataset_rows, duplicates
from app.data.dataset_rows import NumberedRow

Kind = Literal["same", "across", "inside"]
TITLES: dict[Kind, str] = {
    "same": "The same prompt",
    "across": "Nearly the same, held out and trained on",
    "inside": "Nearly the same, trained on twice",
}
PER_PAGE = 25


@dataclass(frozen=True)
class Repeat:
    """`count` rows say the same, of which these are shown."""

    rows: list[NumberedRow]
    count: int
    same_response: bool


@dataclass(frozen=True)
class Repeats:
    kind: Kind
    listed: dict[Kind, int]
    items: list[Repeat]


def load(folder: Path, kind: Kind | None, start: int = 0, limit: int = PER_PAGE) -> Repeats | None:
    """Of a kind, else of the first that there is; None for a data set that was imported before they were listed."""
    found = duplicates.read(folder)
    if found is None:
        return None
    groups: dict[Kind, list[tuple[list[int], int, bool]]] = {
        "same": [(same.rows, same.count, same.same_response) for same in found.same],
        "across": [(list(pair), 2, False) for pair in found.across],
        "inside": [(list(pair), 2, False) for pair in found.inside],
    }
    shown = kind or _first(groups)
    chosen = groups[shown][start : start + limit]
    rows = dataset_rows.numbered(folder, {number for numbers, _, _ in chosen for number in numbers})
    items = [Repeat([rows[number] for number in numbers], count, alike) for numbers, count, alike in chosen]
    return Repeats(shown, {name: len(listed) for name, listed in groups.items()}, items)


def _first(groups: Mapping[Kind, Sized]) -> Kind:
    return next((name for name in TITLES if groups[name]), "same")
