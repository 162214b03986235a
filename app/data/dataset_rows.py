"""The rows of a stored data set, a page at a time. A cursor holds a place in the file, so that paging never rereads."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from app.data.dataset_import.statistics import DEFAULT
from app.data.rows import ROWS_FILE, Row, from_json
from app.data.split import place
from app.errors import Invalid

# A search looks at this many rows before it hands back a cursor to go on with.
SEARCHED_ROWS = 100_000


@dataclass(frozen=True)
class NumberedRow:
    number: int  # 0-based, in file order
    row: Row

    @property
    def is_held_out(self) -> bool:
        """In the split that a run has unless told otherwise."""
        return place(DEFAULT.split_seed, self.row.key) < DEFAULT.eval_fraction


@dataclass(frozen=True)
class RowsPage:
    items: list[NumberedRow]
    next_cursor: str | None


def page(folder: Path, *, limit: int, cursor: str | None = None, offset: int = 0, search: str = "") -> RowsPage:
    """Rows from the cursor's place, or from row `offset`; with a search those that have its text, in any case."""
    wanted = search.casefold().strip()
    items: list[NumberedRow] = []
    with (folder / ROWS_FILE).open("rb") as file:
        number = _go_to(file, cursor, offset)
        start = number
        for row in _rows(file):
            if wanted in _text(row):
                items.append(NumberedRow(number, row))
            number += 1
            if len(items) == limit or number - start == SEARCHED_ROWS:
                break
        more = bool(file.peek(1))
        return RowsPage(items, f"{number}.{file.tell()}" if more else None)


def numbered(folder: Path, numbers: Collection[int]) -> dict[int, NumberedRow]:
    """Some rows by their numbers, in one pass over the file."""
    found: dict[int, NumberedRow] = {}
    with (folder / ROWS_FILE).open("rb") as file:
        for number, line in enumerate(file):
            if number in numbers:
                found[number] = NumberedRow(number, from_json(line.decode()))
            if len(found) == len(numbers):
                break
    return found


def _rows(file: BufferedReader) -> Iterator[Row]:
    while line := file.readline():
        yield from_json(line.decode())


def _go_to(file: BufferedReader, cursor: str | None, offset: int) -> int:
    """The number of the row that the file stands at."""
    if not cursor:
        return sum(1 for _ in zip(range(offset), iter(file.readline, b""), strict=False))
    number, _, position = cursor.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 16 for part in (number, position)):
        raise Invalid.one("cursor", "This cursor is not one of ours")
    file.seek(max(0, int(position) - 1))
    if int(position) and file.read(1) != b"\n":
        raise Invalid.one("cursor", "This cursor is not one of this data set's")
    return int(number)


def _text(row: Row) -> str:
    turns = "\n".join(message.content for message in row.messages)
    return f"{row.instruction}\n{row.input}\n{row.response}\n{turns}\n{row.group or ''}".casefold()


def to_api(numbered: NumberedRow) -> dict[str, Any]:
    """A row in the API's shape: a pair or a conversation, as it is stored."""
    row = numbered.row
    return {
        "row": numbered.number,
        "side": "held_out" if numbered.is_held_out else "train",
        "prompt": row.prompt,
        "instruction": row.instruction,
        "input": row.input,
        "response": row.reference,
        "messages": [{"role": m.role, "content": m.content} for m in row.messages],
        "group": row.group,
    }
