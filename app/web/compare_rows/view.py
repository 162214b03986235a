"""What the page of answers row by row shows."""

from dataclasses import dataclass, field
from typing import Any

from app.compare import row_query, rows
from app.compare.chosen import BASELINE_SLOT, COLOURS
from app.compare.marks import BY_NAME
from app.compare.names import names
from app.compare.row_table import RowTable
from app.compare.rows import Row
from app.compare.sides import BASE, Side, Sides
from app.errors import NotFound
from app.listing import parse_offset
from app.settings import Settings
from app.web.compare_rows import cells, tally
from app.web.compare_rows.cells import Cell
from app.web.compare_rows.notes import notes
from app.web.compare_rows.query import RowsAddress

PAGE_ROWS, PAGE_ROWS_OF_MANY = 10, 5

# More answers than these do not fit beside each other: then they stand in a grid under their question.
MOST_COLUMNS = 4


@dataclass(frozen=True)
class Shown:
    """A row and its cells."""

    row: Row
    cells: list[Cell | None]
    link: str


@dataclass(frozen=True)
class Place:
    """Where a page of rows, or a row shown alone, stands among all that were found; links are empty at the ends."""

    first: int
    last: int
    total: int
    before: str = ""
    after: str = ""
    all: str = ""


@dataclass(frozen=True)
class Legend:
    """By the name of a side: what it is called, and its colour as on the page of the comparison."""

    labels: dict[str, str]
    slots: dict[str, str] = field(default_factory=dict)


def build(settings: Settings, table: RowTable, address: RowsAddress) -> dict[str, Any]:
    sides = table.sides
    together = len(sides.every) > MOST_COLUMNS
    size = PAGE_ROWS if len(sides.every) <= cells.MOST_CELLS else PAGE_ROWS_OF_MANY
    found = row_query.find(table, address.query)
    numbers, place = _alone(table, found, address, size) if address.row else _page(found, address, size)
    shown = rows.read(settings, table, numbers)
    legend, counted = _legend(sides), tally.lines(table)
    score = next(score for score in rows.SCORES if score.short == address.score)
    return {
        "address": address,
        "sides": sides,
        "legend": legend,
        "score": score,
        "scores": rows.SCORES,
        "sorts": row_query.SORTS,
        "marks": BY_NAME,
        "tally": counted,
        "tally_open": len(counted) <= tally.MOST_LINES,
        "sentence": tally.sentence(table, counted, legend.labels, score.label),
        "asked": len(table.numbers),
        "notes": list(notes(table, legend.labels, score.label)),
        "together": together,
        "place": place,
        "rows": [Shown(row, cells.of_row(row, address.diff, together=together), _link(address, row)) for row in shown],
        "most_cells": cells.MOST_CELLS,
    }


def _link(address: RowsAddress, row: Row) -> str:
    return address.link(row=str(row.number))


def _page(found: list[int], address: RowsAddress, size: int) -> tuple[list[int], Place]:
    offset = parse_offset(address.cursor or None)
    before = address.link(cursor=str(max(0, offset - size)) if offset > size else "") if offset else ""
    after = address.link(cursor=str(offset + size)) if offset + size < len(found) else ""
    numbers = found[offset : offset + size]
    return numbers, Place(offset + 1, offset + len(numbers), len(found), before, after)


def _alone(table: RowTable, found: list[int], address: RowsAddress, size: int) -> tuple[list[int], Place]:
    """One row, and the way to its neighbours in the order that was asked for."""
    if not address.row.isascii() or not address.row.isdigit() or len(address.row) > 9:
        raise NotFound("A row is asked for by its number: `row=17`.")
    numbers = row_query.alone(table, int(address.row))
    if numbers[0] not in found:
        return numbers, Place(0, 0, len(found), all=address.link())
    at = found.index(numbers[0])
    cursor = str(at // size * size) if at >= size else ""
    return numbers, Place(
        at + 1,
        at + 1,
        len(found),
        address.link(row=str(found[at - 1])) if at else "",
        address.link(row=str(found[at + 1])) if at + 1 < len(found) else "",
        f"{address.link(cursor=cursor)}#row-{numbers[0]}",
    )


def _legend(sides: Sides) -> Legend:
    called = names([side.run for side in sides.tuned])
    tuned = {side.name: called[side.run.id or 0] for side in sides.tuned}
    if len(sides.tuned) == 1:
        return Legend({BASE: "Base", sides.tuned[0].name: "Fine-tuned"})
    bases = {side.name: _base_label(side, sides, called) for side in sides.bases}
    return Legend(bases | tuned, _slots(sides))


def _base_label(side: Side, sides: Sides, called: dict[int, str]) -> str:
    return "Base" if len(sides.bases) == 1 else f"Base of {called[side.run.id or 0]}"


def _slots(sides: Sides) -> dict[str, str]:
    """The baseline has its own colour; of many runs none has one."""
    others = [side.name for side in sides.tuned if side is not sides.baseline]
    found = {name: str(place) for place, name in enumerate(others, 1)} if len(others) <= COLOURS else {}
    return {**found, **({sides.baseline.name: BASELINE_SLOT} if sides.baseline else {})}
