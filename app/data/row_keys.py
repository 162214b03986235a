"""The keys of a stored data set: 32 bytes a row, all that splitting and looking for leaks need of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KEYS_FILE = "keys.bin"
KEY = 16

# In place of a response's key where the response is too short to tell of a leak.
NO_KEY = bytes(KEY)


@dataclass(frozen=True)
class RowKeys:
    """`raw` holds for each row its Row.key and then the key of its reference; sliced on demand, it stays small."""

    raw: bytes

    def __len__(self) -> int:
        return len(self.raw) // (2 * KEY)

    def rows(self) -> Iterator[bytes]:
        """Every Row.key in file order."""
        return (self.raw[at : at + KEY] for at in range(0, len(self.raw), 2 * KEY))

    def response(self, row: int) -> bytes:
        at = 2 * KEY * row + KEY
        return self.raw[at : at + KEY]


def read(folder: Path) -> RowKeys:
    return RowKeys((folder / KEYS_FILE).read_bytes())
