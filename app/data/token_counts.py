"""How many tokens each row of a data set takes, as one base model reads it: a file that a worker writes once.

Three numbers a row are enough to tell, for any `max_length`, what is shortened and what is cut: see Encoded.fit in
worker.finetune.tokens, whose rule `fit` repeats in numbers; a test holds one against the other.
"""

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from app.disk import sync

COUNTS_DIR = "tokens"


@dataclass(frozen=True)
class Counts:
    """By row: tokens of the prompt, those of them that may go, and tokens of the answer with its end mark."""

    template: str  # chat, plain or custom
    prompt: "array[int]" = field(default_factory=lambda: array("I"))
    free: "array[int]" = field(default_factory=lambda: array("I"))
    answer: "array[int]" = field(default_factory=lambda: array("I"))

    def __len__(self) -> int:
        return len(self.prompt)

    def add(self, prompt: int, free: int, answer: int) -> None:
        self.prompt.append(prompt)
        self.free.append(free)
        self.answer.append(answer)

    def rows(self) -> Iterator[tuple[int, int, int]]:
        return zip(self.prompt, self.free, self.answer, strict=True)


@dataclass(frozen=True)
class Lost:
    """What a row loses to fit. With `no_room` not even a token of its answer is left."""

    prompt: int
    answer: int
    no_room: bool


def fit(prompt: int, free: int, answer: int, max_length: int) -> Lost:
    """Shorten the prompt from the left of the user's text, to no less than half; then cut the answer's end."""
    gone = min(free, max(0, prompt - max(max_length - answer, max_length // 2)))
    room = max(0, max_length - (prompt - gone))
    return Lost(gone, max(0, answer - room), no_room=room == 0)


def path(dataset: Path, version: str) -> Path:
    return dataset / COUNTS_DIR / f"{version}.bin"


def write(target: Path, counts: Counts) -> None:
    """All or nothing; its folder's folder is the data set's, and must be there."""
    target.parent.mkdir(exist_ok=True)
    staged = target.with_name(f".{target.name}.tmp")  # a name that backups leave out
    with staged.open("wb") as file:
        file.write(json.dumps({"template": counts.template, "rows": len(counts)}).encode() + b"\n")
        for numbers in (counts.prompt, counts.free, counts.answer):
            numbers.tofile(file)
    staged.rename(target)
    sync(target.parent)


def read(source: Path) -> Counts | None:
    """None where nobody has counted yet."""
    return _read(source, source.stat().st_mtime_ns) if source.is_file() else None


@lru_cache(maxsize=4)
def _read(source: Path, _version: int) -> Counts:
    with source.open("rb") as file:
        head = json.loads(file.readline())
        counts = Counts(head["template"])
        for numbers in (counts.prompt, counts.free, counts.answer):
            numbers.fromfile(file, head["rows"])
    return counts
