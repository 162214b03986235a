"""Checkpoints of our own: safetensors and JSON, whole or not there.

Written to a temporary folder, synced, hashed into a manifest that comes last, then renamed: a crash at any moment
leaves either the old checkpoint or the new one. What is read back is checked against the manifest.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from worker.finetune.errors import explained
from worker.finetune.tree import Tensors, flatten, unflatten

KEPT = 2
_TENSORS, _STATE, _MANIFEST = "tensors.safetensors", "state.json", "manifest.json"


def save(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write `state` (nested dicts and lists of numbers, texts and tensors) as the checkpoint of `step`."""
    final, temporary = folder / f"step-{step:08d}", folder / f".step-{step:08d}.tmp"
    with explained("saving a checkpoint"):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        tensors: Tensors = {}
        tree = flatten(state, tensors)
        save_file(tensors, temporary / _TENSORS)
        (temporary / _STATE).write_text(json.dumps(tree))
        hashes = {name: _sync_and_hash(temporary / name) for name in (_TENSORS, _STATE)}
        (temporary / _MANIFEST).write_text(json.dumps({"step": step, "sha256": hashes}))
        _sync_and_hash(temporary / _MANIFEST)
        shutil.rmtree(final, ignore_errors=True)  # of an attempt that came as far and is continued
        temporary.rename(final)
        _sync_folder(folder)
    for old in list(_newest_first(folder))[KEPT:]:
        shutil.rmtree(old)
    return final


def load_latest(folder: Path) -> dict[str, Any] | None:
    """The newest checkpoint that is whole; None where there is none."""
    for checkpoint in _newest_first(folder):
        state = _load(checkpoint)
        if state is not None:
            return state
    return None


def discard(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _newest_first(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("step-*"), reverse=True)


def _load(checkpoint: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads((checkpoint / _MANIFEST).read_text())
        if any(_hash(checkpoint / name) != digest for name, digest in manifest["sha256"].items()):
            return None
    except (OSError, ValueError, KeyError):
        return None
    tree = json.loads((checkpoint / _STATE).read_text())
    state: dict[str, Any] = unflatten(tree, load_file(checkpoint / _TENSORS))
    return state


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_and_hash(path: Path) -> str:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return _hash(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def random_state() -> dict[str, Any]:
    """What dropout draws from next."""
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
