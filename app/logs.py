"""A run's log: whole lines after an offset in bytes, before one, around one, or with a text in them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from app.settings import Settings

LOG_FILE = "run.log"
CHUNK_BYTES = 256 * 1024
# A search answers after so many bytes, or lines that it has found; whoever asks goes on from there.
SEARCHED_BYTES = 8 * 1024 * 1024
MOST_FOUND = 1000


@dataclass(frozen=True)
class LogLines:
    """`offsets` is where each line begins, `next` the offset to ask for later, `size` what the file holds by now."""

    lines: list[str]
    next: int
    size: int
    offsets: list[int] = field(default_factory=list)


def path(settings: Settings, run_id: int) -> Path:
    return settings.run_dir(run_id) / LOG_FILE


def read_after(settings: Settings, run_id: int, offset: int, count: int | None = None) -> LogLines:
    """From `offset` on, at most `count` lines and CHUNK_BYTES; beyond the file's end, from its beginning."""
    file, size = _file(settings, run_id)
    start = offset if offset <= size else 0
    chunk = _read(file, start, CHUNK_BYTES)
    whole = chunk.rfind(b"\n") + 1
    if not whole and len(chunk) == CHUNK_BYTES:
        whole = CHUNK_BYTES  # a line longer than that comes in parts
    return _lines(_split(chunk[:whole])[:count], start, size)


def read_before(settings: Settings, run_id: int, end: int, count: int) -> LogLines:
    """The last `count` lines of those that end at `end` or before, from CHUNK_BYTES at most."""
    file, size = _file(settings, run_id)
    start = max(0, min(end, size) - CHUNK_BYTES)
    chunk = _read(file, start, min(end, size) - start)
    pieces = _split(chunk[: chunk.rfind(b"\n") + 1])
    cut = pieces[:1] if start else []  # the first one may lack its beginning
    left = [*cut, *pieces[len(cut) : -count]]
    return _lines(pieces[len(cut) :][-count:], start + sum(map(len, left)), size)


def tail(settings: Settings, run_id: int, count: int) -> LogLines:
    return read_before(settings, run_id, _file(settings, run_id)[1], count)


def read_around(settings: Settings, run_id: int, offset: int, count: int) -> LogLines:
    """The line that begins at `offset`, with up to `count` lines on each side."""
    before = read_before(settings, run_id, offset, count)
    after = read_after(settings, run_id, before.next, count)
    return LogLines([*before.lines, *after.lines], after.next, after.size, [*before.offsets, *after.offsets])


def search(settings: Settings, run_id: int, text: str, offset: int) -> LogLines:
    """Lines from `offset` on with the text in them, upper and lower case alike; `next` is how far was looked."""
    wanted, found, place = text.casefold(), LogLines([], offset, 0), offset
    for part in _parts(settings, run_id, offset):
        hits = [n for n, line in enumerate(part.lines) if wanted in line.casefold()]
        found.lines.extend(part.lines[n] for n in hits)
        found.offsets.extend(part.offsets[n] for n in hits)
        place = part.next
        if len(found.lines) >= MOST_FOUND or place - offset >= SEARCHED_BYTES:
            break
    return LogLines(found.lines, place, _file(settings, run_id)[1], found.offsets)


def _parts(settings: Settings, run_id: int, offset: int) -> Iterator[LogLines]:
    """The rest of the log, chunk by chunk."""
    while (part := read_after(settings, run_id, offset)).next > offset:
        yield part
        offset = part.next


def _file(settings: Settings, run_id: int) -> tuple[Path | None, int]:
    file = path(settings, run_id)
    return (file, file.stat().st_size) if file.is_file() else (None, 0)


def _read(file: Path | None, start: int, length: int) -> bytes:
    if file is None or length <= 0:
        return b""
    with file.open("rb") as log:
        log.seek(start)
        return log.read(length)


def _split(chunk: bytes) -> list[bytes]:
    """Into lines that keep their end; str.splitlines would break them at other separators too."""
    pieces = [piece + b"\n" for piece in chunk.split(b"\n")]
    last = pieces.pop()[:-1]
    return [*pieces, last] if last else pieces


def _lines(pieces: list[bytes], start: int, size: int) -> LogLines:
    offsets = list(accumulate(map(len, pieces), initial=start))
    lines = [piece.removesuffix(b"\n").decode(errors="replace") for piece in pieces]
    return LogLines(lines, offsets[-1], size, offsets[:-1])
