"""Every trial that was made, a line each: where the next go continues, and what the table is made from."""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".chaos"
FILE = FOLDER / "trials.jsonl"


@dataclass(frozen=True)
class Entry:
    promise: str
    seed: int
    violations: list[str] = field(default_factory=list)
    recovery: float | None = None
    note: str = ""
    seconds: float = 0.0
    commit: str = ""
    mistake: str = ""  # the harness itself failed: this was no trial

    def line(self) -> str:
        recovered = f", recovered in {self.recovery:.1f} s" if self.recovery is not None else ""
        return f"{self.promise:<10} {self.seed:>4} {self.seconds:5.1f} s{recovered}  {self.note}"


def append(entry: Entry) -> None:
    """On disk when this returns, as the next trial may be the one that ends the machine."""
    FOLDER.mkdir(exist_ok=True)
    with FILE.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(entry)) + "\n")


def read() -> list[Entry]:
    if not FILE.exists():
        return []
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [Entry(**values) for values in map(_parsed, lines) if values]


def _parsed(line: str) -> dict[str, object]:
    """A line that was cut when the machine went away is no trial."""
    try:
        values: dict[str, object] = json.loads(line)
    except ValueError:
        return {}
    return values


def next_seed(entries: Iterable[Entry], promise: str) -> int:
    return max((entry.seed for entry in entries if entry.promise == promise), default=-1) + 1


@cache
def commit() -> str:
    """What is tried; with a + where files differ from it."""
    described = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(described, capture_output=True, text=True, check=False).stdout.strip()
