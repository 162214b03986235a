"""What a reader hands on."""

from collections.abc import Mapping
from typing import Any, NamedTuple

# A longer row is no training row but a file in the wrong format; it bounds the memory of every reader.
MAX_ROW_BYTES = 10_000_000
TOO_LONG = f"is longer than {MAX_ROW_BYTES // 1_000_000} MB, the most that a row may have"


class Unreadable(Exception):
    """The file cannot be read any further, whatever is done about bad rows; the message names the place."""


class Record(NamedTuple):
    """One row as the file has it; `place` is where ("Line 7"), `error` what is wrong where it is not usable."""

    place: str
    values: Mapping[str, Any] = {}
    error: str = ""


def clean(text: str) -> str:
    """A row's text with plain line ends; raises ValueError for what cannot be stored or trained on."""
    if "\0" in text:
        raise ValueError("has a NUL character")
    if not text.isascii():
        _check_utf8(text)
    return text.replace("\r\n", "\n")


def _check_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        if 0xDC80 <= code <= 0xDCFF:  # how `surrogateescape` marks a byte that could not be decoded
            raise ValueError(f"is not UTF-8 (byte 0x{code - 0xDC00:02x}); save the file as UTF-8") from None
        raise ValueError("has half a surrogate pair (\\ud800 to \\udfff), which is no character") from None
