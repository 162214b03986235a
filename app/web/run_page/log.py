"""The log as its page shows it: its end, another stretch of it, or the lines with a text in them.

A line is `2026-11-22T15:00:00Z INFO message`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from app import logs
from app.logs import LogLines
from app.settings import Settings

SHOWN_LINES = 200
LEVELS = {"INFO": "info", "WARNING": "warn", "ERROR": "error"}
# Of a log that was searched; a script goes through all of them.
MOST_FOUND = 500


@dataclass(frozen=True)
class Place:
    """What the address asks for: lines around or before an offset, or those with a text; else the last ones."""

    at: int | None = None
    before: int | None = None
    find: str = ""


LAST_LINES = Place()


@dataclass(frozen=True)
class Line:
    """`at` is its offset. `moment` is None for a line that has none, as of a library that printed it."""

    at: int
    moment: datetime | None
    level: str
    message: str


@dataclass(frozen=True)
class Shown:
    """`first` and `next` are the offsets where the lines begin and where they go on."""

    lines: list[Line]
    first: int
    next: int
    size: int
    place: Place
    cut: bool = False

    @property
    def is_tail(self) -> bool:
        return self.place == LAST_LINES

    @property
    def has_later(self) -> bool:
        return not self.is_tail and not self.place.find and self.next < self.size


def shown(settings: Settings, run_id: int, place: Place) -> Shown:
    if place.find:
        return _searched(settings, run_id, place)
    if place.before is not None:
        return _of(logs.read_before(settings, run_id, place.before, SHOWN_LINES), place)
    if place.at is not None:
        return _of(logs.read_around(settings, run_id, place.at, SHOWN_LINES // 2), place)
    return _of(logs.tail(settings, run_id, SHOWN_LINES), place)


def after(settings: Settings, run_id: int, offset: int) -> Shown:
    """What has come since."""
    return _of(logs.read_after(settings, run_id, offset), LAST_LINES)


def _searched(settings: Settings, run_id: int, place: Place) -> Shown:
    found = logs.search(settings, run_id, place.find, 0)
    lines = list(islice(_lines(found), MOST_FOUND))
    return Shown(lines, 0, found.next, found.size, place, cut=len(lines) < len(found.lines) or found.next < found.size)


def _of(found: LogLines, place: Place) -> Shown:
    first = found.offsets[0] if found.offsets else found.next
    return Shown(list(_lines(found)), first, found.next, found.size, place)


def _lines(found: LogLines) -> Iterable[Line]:
    return map(_line, found.lines, found.offsets)


def _line(text: str, at: int) -> Line:
    stamp, _, rest = text.partition(" ")
    level, _, message = rest.partition(" ")
    try:
        moment = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return Line(at, None, "", text)
    return Line(at, moment, LEVELS.get(level, ""), message if level in LEVELS else rest)
