"""CSV and TSV as records."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from app.data.dataset_import.json_files import lines
from app.data.dataset_import.records import MAX_ROW_BYTES, TOO_LONG, Record, Unreadable


def read_delimited(file: BinaryIO, delimiter: str | None) -> Iterator[Record]:
    """Rows of a table with a header; without a delimiter it is a comma, or a semicolon where the header has those."""
    csv.field_size_limit(MAX_ROW_BYTES)
    head = file.readline(MAX_ROW_BYTES)
    file.seek(0)
    delimiter = delimiter or (";" if b";" in head and b"," not in head else ",")
    feed = _Feed(file)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    header = _header(reader)
    while True:
        place = f"Line {feed.number + 1}"
        feed.row_size = 0
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise Unreadable(f"{place}: a quoted field is not closed before the end of the file") from None
            yield Record(place, error=f"is not valid CSV: {_said(error)}")
            continue
        if cells is None:
            return
        if any(cells):
            yield _cells_record(place, header, cells)


def _header(reader: Any) -> list[str]:
    try:
        header = [name.strip() for name in next((cells for cells in reader if any(cells)), [])]
    except csv.Error as error:
        raise Unreadable(f"Line 1: the header is not valid CSV: {_said(error)}") from None
    if not header:
        raise Unreadable("The file has no header: its first line must name the columns")
    if twice := repeated(header):
        raise Unreadable(f'Line 1: the column "{twice[:40]}" occurs twice in the header')
    return header


def _said(error: csv.Error) -> str:
    return str(error).replace("\t", "tab").partition(" - ")[0]  # what follows is advice for programmers


def repeated(names: Iterable[str]) -> str | None:
    """A name that comes more than once."""
    return next((name for name, number in Counter(names).items() if name and number > 1), None)


def _cells_record(place: str, header: list[str], cells: list[str]) -> Record:
    if len(cells) != len(header):
        return Record(place, error=f"has {len(cells)} fields, the header has {len(header)}")
    return Record(place, dict(zip(header, cells, strict=True)))


class _Feed:
    """Lines for csv.reader: counts them, and ends a row that grows past all limits (a quote that is never closed)."""

    def __init__(self, file: BinaryIO) -> None:
        self._lines = lines(file)
        self.number = 0
        self.row_size = 0

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        self.row_size += len(line or "")
        if line is None or self.row_size > MAX_ROW_BYTES:
            raise Unreadable(f"Line {self.number}: a row {TOO_LONG}; is a quote not closed?")
        return line
