"""Parquet as records. A small file may unpack to a huge one, so what it becomes is counted and memory is bounded."""

import os
import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.data.dataset_import.records import MAX_ROW_BYTES, TOO_LONG, Record, Unreadable
from app.data.dataset_import.tables import repeated

NO_PARQUET = (
    "Reading Parquet needs pyarrow, which is not installed here: install tuneboard[worker], or save the file as JSONL"
)
# Decoded at a time: so many rows, or fewer where they are long.
MOST_ROWS, MOST_BYTES = 1024, 8_000_000
# Text that compresses better than this is no data set. What a row costs besides its text counts as well.
MOST_UNPACKED, UNPACKED_FREE, ROW_COSTS = 1000, 20_000_000, 200
# For decoding, beyond what the process holds already: a value may be longer than the file says of its rows.
DECODING_BYTES = 150_000_000


def read_parquet(path: Path) -> Iterator[Record]:
    # Read when it is loaded. Its own allocator reserves a gigabyte: nothing could be bounded.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise Unreadable(NO_PARQUET) from None
    pyarrow.set_memory_pool(
        pyarrow.system_memory_pool()
    )  # the default one reserves a gigabyte: nothing could be bounded
    number = 0
    try:
        with parquet.ParquetFile(path, buffer_size=1 << 20) as file, _bounded_memory():
            if twice := repeated(file.schema_arrow.names):
                raise Unreadable(f'The column "{twice[:40]}" occurs twice')
            for values in _unpacked(file, path.stat().st_size):
                number += 1
                yield Record(f"Row {number}", values)
    except MemoryError:  # one of pyarrow's, too
        raise Unreadable(f"After row {number}: a row {TOO_LONG}") from None
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:  # a time that no calendar has, too
        reason = str(error).strip().partition("\n")[0]
        raise Unreadable(f"The Parquet file cannot be read after row {number}: {reason}") from None


def _unpacked(file: Any, size: int) -> Iterator[Mapping[str, Any]]:
    left = max(UNPACKED_FREE, MOST_UNPACKED * size)
    for group in range(file.metadata.num_row_groups):
        at_once = _rows_at_once(file.metadata.row_group(group))
        for batch in file.iter_batches(batch_size=at_once, row_groups=[group]):
            for values in batch.to_pylist():
                length = sum(len(value) for value in values.values() if isinstance(value, str))
                if length > MAX_ROW_BYTES:
                    raise MemoryError
                left -= length + ROW_COSTS
                if left < 0:
                    raise Unreadable(f"The file unpacks to {MOST_UNPACKED:,} times its size, which no data set does")
                yield values


def _rows_at_once(group: Any) -> int:
    size: int = max(1, group.total_byte_size)
    rows: int = MOST_BYTES * group.num_rows // size
    return max(1, min(MOST_ROWS, rows))


@contextmanager
def _bounded_memory() -> Iterator[None]:
    """Meanwhile an allocation beyond what decoding needs fails, instead of taking the machine's memory."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    status = Path("/proc/self/status")
    if status.exists():  # elsewhere than on Linux the system's own limits have to do
        lines = status.read_text().splitlines()
        used = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData"))
        resource.setrlimit(resource.RLIMIT_DATA, (used + DECODING_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
