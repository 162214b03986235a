"""Checkpoints of our own: safetensors and JSON, whole or not there.

A manifest, written last, holds the hash of each file; what is read back is held against it. A damaged checkpoint is
never loaded: the one before it is, and which ones were damaged is told.
"""

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from worker.finetune.errors import FinetuneError, explained
from worker.finetune.tree import Tensors, flatten, unflatten
from worker.finetune.whole import remove, sweep, whole_folder

KEPT = 2
FORMAT = 2  # of what a training keeps in one: a checkpoint of another format is not gone on from
_TENSORS, _STATE, _MANIFEST = "tensors.safetensors", "state.json", "manifest.json"
_CONTENTS = (_TENSORS, _STATE)
_NAME = re.compile(r"step-(\d{8,})")
# Of a file that is there and damaged by nobody, but cannot be read now.
_UNREADABLE = frozenset({errno.EIO, errno.EACCES, errno.EPERM, errno.ESTALE, errno.ETIMEDOUT})


@dataclass(frozen=True)
class Damage:
    """A checkpoint that cannot be used. `passing`: it could not be read, so that it may be whole after all."""

    step: int
    reason: str
    passing: bool = False


@dataclass(frozen=True)
class Found:
    """The newest whole checkpoint, and the damaged ones that are newer. Without a whole one `state` is None."""

    step: int
    state: dict[str, Any] | None
    damaged: tuple[Damage, ...] = ()


class _Unusable(Exception):
    """Why a checkpoint is not loaded."""


def save(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write `state` (nested dicts and lists of numbers, texts and tensors) as the checkpoint of `step`.

    Two are kept, this one and the one before it. Later ones are of a training that went on from before them.
    """
    final = folder / _name(step)
    with explained("saving a checkpoint"):
        sweep(folder)
        with whole_folder(final) as temporary:
            tensors: Tensors = {}
            tree = flatten(state, tensors)
            _write_tensors(temporary / _TENSORS, tensors)
            (temporary / _STATE).write_text(json.dumps(tree))
            hashes = {name: _hash(temporary / name) for name in _CONTENTS}
            (temporary / _MANIFEST).write_text(json.dumps({"step": step, "sha256": hashes}))
        kept = [number for number, _ in _newest_first(folder) if number <= step][:KEPT]
        for number, path in _newest_first(folder):
            if number not in kept:
                remove(path)
    return final


def recover(folder: Path) -> Found | None:
    """The newest checkpoint that is whole; None where there is none at all, damaged or not.

    Raises FinetuneError where none is whole and one may be, could it only be read: to start from zero would lose it.
    """
    sweep(folder)
    damaged: list[Damage] = []
    for step, path in _newest_first(folder):
        try:
            return Found(step, _load(path, step), tuple(damaged))
        except _Unusable as why:
            damaged.append(Damage(step, str(why)))
        except OSError as error:
            damaged.append(Damage(step, error.strerror or type(error).__name__, error.errno in _UNREADABLE))
    for damage in damaged:
        if damage.passing:
            raise _unreadable(damage)
    return Found(0, None, tuple(damaged)) if damaged else None


def clear(folder: Path, damaged: Iterable[Damage]) -> None:
    """Remove damaged ones, once that has been told: kept as one of two, such a one would push out a whole one."""
    for damage in damaged:
        remove(folder / _name(damage.step))


def discard(folder: Path) -> None:
    remove(folder)


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _newest_first(folder: Path) -> Iterator[tuple[int, Path]]:
    named = ((_NAME.fullmatch(path.name), path) for path in folder.glob("step-*"))
    yield from sorted(((int(name[1]), path) for name, path in named if name), reverse=True)


def _write_tensors(path: Path, tensors: Tensors) -> None:
    """safetensors tells a full disk by a sentence, and its number only in there."""
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def _load(checkpoint: Path, step: int) -> dict[str, Any]:
    """Raises _Unusable or OSError unless all that has to be there is there, and is what the manifest says."""
    if checkpoint.is_symlink() or not checkpoint.is_dir():
        raise _Unusable("it is no folder")
    hashes = _manifest(checkpoint, step)
    for name in _CONTENTS:
        if _hash(checkpoint / name) != hashes[name]:
            raise _Unusable(f"{name} is not what was saved")
    try:
        tree = json.loads((checkpoint / _STATE).read_bytes())
        state = unflatten(tree, load_file(checkpoint / _TENSORS))
    except (ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise _Unusable("its contents make no sense") from error
    if not isinstance(state, dict):
        raise _Unusable("its contents make no sense")
    return state


def _manifest(checkpoint: Path, step: int) -> dict[str, str]:
    """The hashes of exactly the files that a checkpoint has."""
    try:
        with _open(checkpoint / _MANIFEST) as file:
            manifest = json.loads(file.read())
    except (ValueError, RecursionError) as error:
        raise _Unusable(f"{_MANIFEST} is no JSON") from error
    hashes = manifest.get("sha256") if isinstance(manifest, dict) else None
    if not isinstance(hashes, dict) or set(hashes) != set(_CONTENTS):
        raise _Unusable(f"{_MANIFEST} does not list the files of a checkpoint")
    if manifest.get("step") != step:
        raise _Unusable(f"{_MANIFEST} is that of another step")
    return hashes


def _hash(path: Path) -> str:
    with _open(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open(path: Path) -> BufferedReader:
    """A plain file and nothing else: no link, which leads elsewhere; no pipe, which is waited for in vain."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise _Unusable(f"{path.name} is missing") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _Unusable(f"{path.name} is no plain file")
    return os.fdopen(descriptor, "rb")


def _unreadable(damage: Damage) -> FinetuneError:
    return FinetuneError(
        "io_error",
        "No checkpoint could be read",
        f"That of step {damage.step} is there, but reading it failed: {damage.reason}.",
        "Mend the disk, or the folder's permissions, then retry; or retry from zero, without the checkpoint.",
    )
