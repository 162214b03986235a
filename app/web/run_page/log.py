"""The log's lines taken apart: `2026-11-22T15:00:00Z INFO message`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

SHOWN_LINES = 200
LEVELS = {"INFO": "info", "WARNING": "warn", "ERROR": "error"}


@dataclass(frozen=True)
class Line:
    """`moment` is None for a line that has none, as of a library that printed it."""

    moment: datetime | None
    level: str
    message: str


def lines(texts: Sequence[str]) -> list[Line]:
    return [_line(text) for text in texts]


def _line(text: str) -> Line:
    stamp, _, rest = text.partition(" ")
    level, _, message = rest.partition(" ")
    try:
        moment = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return Line(None, "", text)
    return Line(moment, LEVELS.get(level, ""), message if level in LEVELS else rest)
