"""JSON Lines and JSON arrays as records, one at a time.

Text is decoded with `surrogateescape`, so that a byte that is not UTF-8 spoils its own row and no other.
"""

import codecs
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from app.data.dataset_import.records import MAX_ROW_BYTES, TOO_LONG, Record, Unreadable

BOM = b"\xef\xbb\xbf"
CHUNK = 1 << 20
_blanks = re.compile(r"[ \t\r\n]*")


class _Refused(ValueError):
    """Valid JSON that no row may have."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(name for name, number in Counter(name for name, _ in pairs).items() if number > 1)
        raise _Refused(f'has the key "{twice[:40]}" twice')
    return values


def _no_number(name: str) -> Any:
    raise _Refused(f"has {name}, a value that JSON does not have")


def _whole(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        raise _Refused(f"has a number of {len(digits):,} digits") from None


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _Refused(f"has {digits[:40]}, a number that is too large")
    return value


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_number, parse_int=_whole, parse_float=_finite)
_lenient = json.JSONDecoder(parse_int=str, parse_float=str)


def parse(text: str) -> Any:
    """A JSON value; raises ValueError with a sentence."""
    try:
        return _decoder.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not valid JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def lines(file: BinaryIO) -> Iterator[tuple[int, str | None]]:
    """Line numbers and lines; None for a line that is too long, which is never held whole."""
    number = 0
    while line := file.readline(MAX_ROW_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(BOM)
        too_long = len(line) > MAX_ROW_BYTES
        while too_long and line and not line.endswith(b"\n"):
            line = file.readline(CHUNK)
        yield number, None if too_long else line.decode("utf-8", "surrogateescape")


def read_lines(file: BinaryIO) -> Iterator[Record]:
    for number, line in lines(file):
        place = f"Line {number}"
        if line is None:
            yield Record(place, error=TOO_LONG)
        elif line.strip():
            try:
                yield _record(place, parse(line))
            except ValueError as error:
                yield Record(place, error=str(error))


def read_array(file: BinaryIO) -> Iterator[Record]:
    window = _Window(file)
    window.take("[")
    number = 0
    separator = "]" if window.next() == "]" else ","
    while separator == ",":
        number += 1
        window.next()
        place = f"Row {number} (line {window.line})"
        try:
            yield _record(place, window.value())
        except _Refused as error:
            yield Record(place, error=str(error))
        separator = window.next()
        if separator == ",":
            window.take(",")
    window.take("]")
    if window.next():
        raise Unreadable(f"Line {window.line}: there is more text after the end of the array")


def _record(place: str, value: Any) -> Record:
    if not isinstance(value, dict):
        return Record(
            place, error="is not an object with named values, like {" + '"instruction": ..., "response": ...}'
        )
    return Record(place, value)


def _decode(text: str, at: int) -> tuple[Any, int]:
    """The value at a place, or why it is refused, and where it ends."""
    try:
        return _decoder.raw_decode(text, at)
    except _Refused as refused:
        return refused, _lenient.raw_decode(text, at)[1]


class _Window:
    """The part of an array's text that is being looked at."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._text = ""
        self._at = 0
        self._line = 1
        self._counted = 0  # as far as this the lines are counted
        self._ended = False

    @property
    def line(self) -> int:
        """The number of the line that the next character stands in."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def next(self) -> str:
        """The next character that is not blank, not yet taken; "" at the end of the file."""
        while True:
            match = _blanks.match(self._text, self._at)
            assert match
            self._at = match.end()
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def take(self, character: str) -> None:
        found = self.next()
        if not found:
            raise Unreadable(f"Line {self.line}: the array is not closed; the file seems to be cut off")
        if found != character:
            wanted = "',' or ']'" if character == "]" else f"'{character}'"
            raise Unreadable(f"Line {self.line}: {wanted} is missing before '{found}'; this is not a JSON array")
        self._at += 1

    def value(self) -> Any:
        """The value that starts here; raises _Refused after passing one that no row may have."""
        while True:
            try:
                value, end = _decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if not self._more():  # perhaps the row only goes on behind the window
                    raise self._broken(error) from None
                continue
            if end < len(self._text) or not self._more():
                if end - self._at > MAX_ROW_BYTES:
                    value = _Refused(TOO_LONG)
                self._at = end
                if isinstance(value, _Refused):
                    raise value
                return value

    def _broken(self, error: Exception) -> Unreadable:
        position = error.pos if isinstance(error, json.JSONDecodeError) else self._at
        message = error.msg if isinstance(error, json.JSONDecodeError) else "it is nested too deeply"
        line = self.line + self._text.count("\n", self._at, position)
        if position >= len(self._text.rstrip()) or message.startswith("Unterminated string"):
            return Unreadable(f"Line {line}: the array is not closed; the file seems to be cut off")
        return Unreadable(f"Line {line}: is not valid JSON: {message}; the rows after it cannot be found")

    def _more(self) -> bool:
        """Read on, dropping what was taken; False at the end of the file."""
        if self._ended:
            return False
        if len(self._text) - self._at > MAX_ROW_BYTES:
            raise Unreadable(f"Line {self.line}: a row {TOO_LONG}, or is not valid JSON")
        chunk = self._file.read(max(CHUNK, len(self._text) - self._at))  # doubling: a long row is not parsed too often
        self._ended = not chunk
        line, rest = self.line, self._text[self._at :]
        self._text = rest + self._decoder.decode(chunk, final=self._ended)
        self._line, self._at, self._counted = line, 0, 0
        return True
