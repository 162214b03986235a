"""A run's log: lines that were written after an offset in bytes, so that a reader asks only for what is new."""

from dataclasses import dataclass
from pathlib import Path

from app.settings import Settings

LOG_FILE = "run.log"
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class LogLines:
    """`next` is the offset to ask for later; `size` what the file holds by now."""

    lines: list[str]
    next: int
    size: int


def path(settings: Settings, run_id: int) -> Path:
    return settings.run_dir(run_id) / LOG_FILE


def read_after(settings: Settings, run_id: int, offset: int) -> LogLines:
    """Whole lines from `offset` on, at most CHUNK_BYTES of them; beyond the file's end, from its beginning."""
    file = path(settings, run_id)
    if not file.is_file():
        return LogLines([], 0, 0)
    size = file.stat().st_size
    start = offset if offset <= size else 0
    with file.open("rb") as log:
        log.seek(start)
        chunk = log.read(CHUNK_BYTES)
    whole = chunk.rfind(b"\n") + 1
    if not whole and len(chunk) == CHUNK_BYTES:
        whole = CHUNK_BYTES  # a line longer than that comes in parts
    return LogLines(_lines(chunk[:whole]), start + whole, size)


def tail(settings: Settings, run_id: int, count: int) -> LogLines:
    """The last `count` lines, from the last CHUNK_BYTES at most."""
    file = path(settings, run_id)
    size = file.stat().st_size if file.is_file() else 0
    start = max(0, size - CHUNK_BYTES)
    found = read_after(settings, run_id, start)
    lines = found.lines[1:] if start else found.lines  # the first one may be cut
    return LogLines(lines[-count:], found.next, found.size)


def _lines(chunk: bytes) -> list[str]:
    return chunk.decode(errors="replace").removesuffix("\n").split("\n") if chunk else []
