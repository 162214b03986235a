"""Which format a file has, by its name or as stated, and its records."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from app.data.dataset_import import json_files, parquet_files, tables
from app.data.dataset_import.records import Record, Unreadable
from app.errors import Invalid, WrongMediaType

EXTENSIONS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
FORMATS = tuple(dict.fromkeys(EXTENSIONS.values()))

_MAGIC = {b"PAR1": "a Parquet file", b"PK\x03\x04": "a ZIP or Excel file", b"\x1f\x8b": "a gzip file", b"%PDF": "a PDF"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def choose(filename: str, stated: str | None) -> str:
    """The format to read a file as; raises WrongMediaType for a name that tells of none."""
    if stated:
        if stated not in FORMATS:
            raise Invalid.one("format", f"'{stated}' is not a format; use one of {', '.join(FORMATS)}")
        return stated
    suffix = Path(filename).suffix.lower()
    if suffix not in EXTENSIONS:
        raise WrongMediaType(
            f"'{filename}' does not end in {', '.join(EXTENSIONS)}. Rename it, or say which format it has"
        )
    return EXTENSIONS[suffix]


def read(path: Path, format: str) -> Iterator[Record]:
    """The records of a file; raises Unreadable where it cannot be read on."""
    if format == "parquet":
        yield from parquet_files.read_parquet(path)
        return
    with path.open("rb") as file:
        _check_text(file)
        if format in ("csv", "tsv"):
            yield from tables.read_delimited(file, "\t" if format == "tsv" else None)
        elif _first_character(file) == b"[":  # told by content: `.json` files of one row a line are common
            yield from json_files.read_array(file)
        else:
            yield from json_files.read_lines(file)


def _check_text(file: BinaryIO) -> None:
    """Refuse at once what is not UTF-8 text, rather than with an error on every line."""
    head = file.read(4096)
    file.seek(0)
    if not head:
        raise Unreadable("The file is empty")
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            raise Unreadable(f"This is {kind}, whatever its name says")
    zeros = max(head[0::2].count(0), head[1::2].count(0))
    if head.startswith(_UTF16) or zeros > len(head) // 4:
        raise Unreadable("This is not UTF-8 text (it looks like UTF-16 or a binary file); save it as UTF-8")


def _first_character(file: BinaryIO) -> bytes:
    """The first byte that is neither blank nor byte order mark; leaves the file at its start."""
    first = b""
    while not first and (chunk := file.read(65536)):
        first = chunk.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    file.seek(0)
    return first
