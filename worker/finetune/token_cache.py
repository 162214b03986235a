"""Rows as tokens, kept on disk for the next run that reads the same rows in the same way.

An entry is a file: SHA-256 of its key and of what follows, then safetensors. One that is damaged, cut or another's is
as good as none. Its time of change is when it was last used; those longest unused go when the folder is too large.
"""

import hashlib
import json
import os
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as from_safetensors
from safetensors.numpy import save as to_safetensors

from app.data import prompts, rows
from worker.finetune import chat, tokens, turns
from worker.finetune.tokens import Encoded

LIMIT = 1 << 30  # bytes of all entries together
LARGEST = 1 << 28  # of one: some forty million tokens, held in memory while they are written
DIGEST = hashlib.sha256().digest_size
# A process that was killed while it wrote leaves it; nobody takes this long to write a file.
STALE_SECONDS = 3600.0

# What decides the tokens of a row, beside the row, the tokenizer and the template.
_CODE = (rows, prompts, chat, turns, tokens)
_PACKAGES = ("tokenizers", "transformers", "jinja2")


def make_key(
    dataset: str, numbers: Sequence[int], tokenizer: Any, tokenizer_hash: str, template: turns.Template
) -> str:
    """`dataset` and `tokenizer_hash` are hashes of content, `numbers` the rows in their order."""
    reading = [
        template.kind,
        template.identity,
        template.end_id,
        tokenizer.bos_token_id,
        tokenizer.split_special_tokens,
    ]
    parts = [_code(), dataset, list(numbers), tokenizer_hash, reading]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@cache
def _code() -> list[str]:
    """Changes with whatever could make other tokens of the same row: an entry of yesterday's program is never used."""
    sources = [hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest() for module in _CODE]
    return sources + [version(name) for name in _PACKAGES]


def load(folder: Path, key: str) -> list[Encoded] | None:
    """None where there is no entry that is whole."""
    path = _path(folder, key)
    try:
        with path.open("rb") as file:
            digest, body = file.read(DIGEST), file.read()
        if digest != _digest(key, body):
            return None
        found = list(_unpacked(from_safetensors(body)))
        os.utime(path)
    except (OSError, SafetensorError):
        return None
    return found


def store(folder: Path, key: str, encoded: Sequence[Encoded], *, limit: int = LIMIT) -> None:
    """Written beside and renamed: a reader sees the whole entry or none. Raises OSError where it cannot be written."""
    body = to_safetensors(_packed(encoded))
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{key}.{os.getpid()}.tmp"
    try:
        with temporary.open("wb") as file:
            file.write(_digest(key, body))
            file.write(body)
        temporary.rename(_path(folder, key))
    finally:
        temporary.unlink(missing_ok=True)
    _tidy(folder, limit)


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key}.tokens"


def _digest(key: str, body: bytes) -> bytes:
    found = hashlib.sha256(key.encode())
    found.update(body)
    return found.digest()


def _packed(encoded: Sequence[Encoded]) -> dict[str, np.ndarray[Any, Any]]:
    """All rows one after another, and where each ends."""
    texts = {"prompt": [item.prompt for item in encoded], "answer": [item.answer for item in encoded]}
    masks = {"free": [item.free for item in encoded], "counted": [item.counted for item in encoded]}
    ids = {name: np.frombuffer(b"".join(parts), np.int32) for name, parts in texts.items()}
    marks = {name: np.frombuffer(b"".join(parts), np.uint8) for name, parts in masks.items()}
    ends = {f"{name}_ends": np.cumsum([len(part) for part in parts], dtype=np.int64) for name, parts in texts.items()}
    return ids | marks | ends | {"row": np.array([item.row for item in encoded], np.int64)}


def _unpacked(found: dict[str, np.ndarray[Any, Any]]) -> Iterator[Encoded]:
    prompt, answer, free, counted = (found[name] for name in ("prompt", "answer", "free", "counted"))
    ends = (pairwise([0, *found[f"{name}_ends"].tolist()]) for name in ("prompt", "answer"))
    for row, (start, end), (first, last) in zip(found["row"].tolist(), *ends, strict=True):
        yield Encoded(
            row,
            array("i", prompt[start:end].tobytes()),
            free[start:end].tobytes(),
            counted[start:end].tobytes(),
            array("i", answer[first:last].tobytes()),
        )


def _tidy(folder: Path, limit: int) -> None:
    """Remove what was used longest ago, down to the limit; another process may be doing the same."""
    found = []
    for path in folder.glob("*.tokens"):
        with suppress(FileNotFoundError):
            state = path.stat()
            found.append((state.st_mtime_ns, state.st_size, path))
    found.sort(reverse=True)
    for total, (_, _, path) in zip(accumulate(size for _, size, _ in found), found, strict=True):
        if total > limit:
            path.unlink(missing_ok=True)
    for left in folder.glob(".*.tmp"):
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < time.time() - STALE_SECONDS:
                left.unlink()
