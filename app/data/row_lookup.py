"""A few rows of a stored data set by their number."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from pathlib import Path

from app.data.rows import ROWS_FILE, Row, read_rows
from app.settings import Settings

# Rows are found by reading from the start; beyond this a page would wait for them.
LARGEST_BYTES = 50_000_000


def look_up(settings: Settings, dataset_id: int | None, numbers: Iterable[int]) -> dict[int, Row]:
    """None of them where the data set is gone, or too large to look for a few rows in it."""
    wanted = frozenset(numbers)
    if dataset_id is None or not wanted:
        return {}
    return dict(_looked_up(settings.dataset_dir(dataset_id) / ROWS_FILE, wanted))


@lru_cache(maxsize=64)
def _looked_up(file: Path, numbers: frozenset[int]) -> tuple[tuple[int, Row], ...]:
    """A stored data set never changes, and its id is never used again."""
    if not file.is_file() or file.stat().st_size > LARGEST_BYTES:
        return ()
    rows = islice(enumerate(read_rows(file)), max(numbers) + 1)
    return tuple((number, row) for number, row in rows if number in numbers)
