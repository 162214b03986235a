"""Checkpoints on disk: whole or not there, two kept, and nothing pickled."""

from pathlib import Path
from typing import Any

import pytest
import torch

from worker.finetune import checkpoint
from worker.finetune.errors import FinetuneError
from worker.finetune.tree import flatten, unflatten

STATE: dict[str, Any] = {"a": {0: {"exp_avg": torch.arange(3.0)}}, "b": [1, 2.5, None, True, "x"], "c": torch.ones(2)}


def step(number: int) -> dict[str, Any]:
    return {"step": number, "weights": torch.full((4,), float(number))}


def test_state_comes_back_with_its_number_keys_and_bits() -> None:
    tensors: dict[str, torch.Tensor] = {}
    back = unflatten(flatten(STATE, tensors), tensors)
    assert torch.equal(back["a"][0]["exp_avg"], STATE["a"][0]["exp_avg"])
    assert back["b"] == STATE["b"]


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot hold a complex"):
        flatten({"value": 1j}, {})


def test_two_are_kept_and_the_newest_is_loaded(tmp_path: Path) -> None:
    for number in (2, 4, 11):
        checkpoint.save(tmp_path, number, step(number))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000004", "step-00000011"]
    state = checkpoint.load_latest(tmp_path)
    assert state is not None
    assert state["step"] == 11


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, name: str, damage: str) -> None:
    checkpoint.save(tmp_path, 1, step(1))
    path = checkpoint.save(tmp_path, 2, step(2)) / name
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[-2] ^= 1
        path.write_bytes(content)
    state = checkpoint.load_latest(tmp_path)
    assert state is not None
    assert state["step"] == 1


def test_a_crash_before_the_rename_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path, 1, step(1))

    def crash(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", crash)
        with pytest.raises(KeyboardInterrupt):
            checkpoint.save(tmp_path, 2, step(2))
    state = checkpoint.load_latest(tmp_path)
    assert state is not None
    assert state["step"] == 1
    checkpoint.save(tmp_path, 2, step(2))
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(FinetuneError, match="Disk full"):
        checkpoint.save(tmp_path, 1, step(1))
