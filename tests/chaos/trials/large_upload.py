"""A file of 1 GB is uploaded: the web process hardly grows, answers others meanwhile, and the rows are all there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app import migrate
from app.settings import Settings
from tests.chaos.trial import Outcome, Seed, Trial
from tests.web.large_upload import Upload, upload
from tests.web.process import Web, web

FILE_BYTES = 1_000_000_000
MOST_GROWTH = 64_000_000
MOST_WAIT = 15.0  # of somebody else's request meanwhile
ROW_BYTES = (8000, 1000)


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    settings = Settings(data_dir=folder / "data")
    migrate.upgrade(settings)
    with web(settings.data_dir, folder / "web.log") as served:
        yield lambda seed: _trial(served, seed)


def _trial(served: Web, seed: Seed) -> Outcome:
    made = upload(served, FILE_BYTES, seed.turn(ROW_BYTES), timeout=1800)
    note = f"{made.rows:,} rows, grew by {made.growth / 1e6:.0f} MB, others waited {max(made.waits):.2f} s at most"
    return Outcome([*_wrong(made), *served.faults()], note=note)


def _wrong(made: Upload) -> Iterator[str]:
    if made.answer is None or made.answer.status_code != 201:
        yield f"the upload was answered {made.answer and made.answer.text}"
        return
    stored = made.answer.json()
    if (stored["size_bytes"], stored["rows"], stored["sha256"]) != (made.size, made.rows, made.sha256):
        yield f"sent {made.size:,} bytes in {made.rows:,} rows, stored {stored['size_bytes']:,} in {stored['rows']:,}"
    if made.growth > MOST_GROWTH:
        yield f"the web process grew by {made.growth:,} bytes"
    if max(made.waits) > MOST_WAIT:
        yield f"another request waited {max(made.waits):.1f} s"
