"""Writing rows in their stored form, and noting down what the statistics are made of.

rows.jsonl   one app.data.rows.Row a line
keys.bin     32 bytes a row: Row.key, then the key of the reference, or zeros where it is too short to tell of a leak
prompts.txt  one normalised prompt a line, and
marks.bin    32 bytes a row, the keys of its prompt and of prompt with response: both only for the statistics
"""

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from app.data.row_keys import KEYS_FILE, NO_KEY
from app.data.rows import ROWS_FILE, Row
from app.data.split import LEAK_CHARACTERS, key_of_normalised, normalise

PROMPTS_FILE = "prompts.txt"
MARKS_FILE = "marks.bin"


@dataclass
class Tally:
    """What is counted while rows are written. Lengths are in characters: few distinct ones, however many rows."""

    rows: int = 0
    with_input: int = 0
    conversations: int = 0
    prompt_lengths: Counter[int] = field(default_factory=Counter)
    response_lengths: Counter[int] = field(default_factory=Counter)
    turns: Counter[int] = field(default_factory=Counter)
    grouped: int = 0
    unfinished: int = 0  # responses that end without the end of a sentence


def breaks_off(response: str) -> bool:
    """Whether a text seems cut off: long enough for a sentence, and its last mark goes on."""
    text = response.rstrip()
    return len(text) >= LEAK_CHARACTERS and (text[-1].islower() or text[-1] in ",;:(-–—")


class Store:
    """The files of a data set being written in a folder."""

    def __init__(self, folder: Path) -> None:
        self.tally = Tally()
        self._hash = hashlib.sha256()
        self._rows = (folder / ROWS_FILE).open("wb")
        self._keys = (folder / KEYS_FILE).open("wb")
        self._prompts = (folder / PROMPTS_FILE).open("wb")
        self._marks = (folder / MARKS_FILE).open("wb")

    @property
    def sha256(self) -> str:
        """Of rows.jsonl: what training reads, whatever the uploaded file looked like."""
        return self._hash.hexdigest()

    def add(self, row: Row) -> None:
        line = f"{row.to_json()}\n".encode()
        self._rows.write(line)
        self._hash.update(line)
        prompt, response = normalise(row.prompt), normalise(row.reference)
        prompt_key, response_key = key_of_normalised(prompt), key_of_normalised(response)
        self._keys.write(row.key if row.group is not None else prompt_key)
        self._keys.write(response_key if len(response) >= LEAK_CHARACTERS else NO_KEY)
        self._prompts.write(prompt.encode() + b"\n")
        self._marks.write(prompt_key + key_of_normalised(f"{prompt}\n{response}"))
        self._count(row)

    def _count(self, row: Row) -> None:
        tally = self.tally
        tally.rows += 1
        tally.with_input += bool(row.input.strip())
        tally.conversations += bool(row.messages)
        tally.grouped += row.group is not None
        tally.prompt_lengths[len(row.prompt)] += 1
        tally.response_lengths[len(row.reference)] += 1
        tally.unfinished += breaks_off(row.reference)
        if row.messages:
            tally.turns[len(row.messages)] += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for file in (self._rows, self._keys, self._prompts, self._marks):
            file.flush()
            os.fsync(file.fileno())
            file.close()
