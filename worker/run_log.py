"""A run's log: one line an event, `2026-11-22T15:00:00Z INFO message`, appended over all attempts."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from app.logs import LOG_FILE


class RunLog:
    def __init__(self, run_dir: Path) -> None:
        self._file = (run_dir / LOG_FILE).open("a", encoding="utf-8", buffering=1)

    def write(self, message: str, level: str = "info") -> None:
        """A message of several lines becomes several entries, so that each line of the file is one."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for line in message.splitlines():
            self._file.write(f"{stamp} {level.upper()} {line}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
