"""Checkpoints on disk: whole or not there, two kept, damaged ones told of and never loaded, and nothing pickled."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from worker.finetune import checkpoint, whole
from worker.finetune.errors import FinetuneError
from worker.finetune.tree import flatten, unflatten

STATE: dict[str, Any] = {"a": {0: {"exp_avg": torch.arange(3.0)}}, "b": [1, 2.5, None, True, "x"], "c": torch.ones(2)}


def step(number: int) -> dict[str, Any]:
    return {"step": number, "weights": torch.full((4,), float(number))}


def recovered(folder: Path) -> tuple[int | None, list[int]]:
    """The step that is gone on from, None for zero, and the damaged ones."""
    found = checkpoint.recover(folder)
    if found is None:
        return None, []
    assert found.state is None or found.state["step"] == found.step
    return found.step if found.state else None, [damage.step for damage in found.damaged]


def test_state_comes_back_with_its_number_keys_and_bits() -> None:
    tensors: dict[str, torch.Tensor] = {}
    back = unflatten(flatten(STATE, tensors), tensors)
    assert torch.equal(back["a"][0]["exp_avg"], STATE["a"][0]["exp_avg"])
    assert back["b"] == STATE["b"]


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot hold a complex"):
        flatten({"value": 1j}, {})


def test_two_are_kept_and_the_newest_is_loaded(tmp_path: Path) -> None:
    assert recovered(tmp_path) == (None, [])
    for number in (2, 4, 11):
        checkpoint.save(tmp_path, number, step(number))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000004", "step-00000011"]
    assert recovered(tmp_path) == (11, [])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_link(path: Path) -> None:
    """To the same bytes: every hash is right."""
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "flipped": flip,
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "missing": Path.unlink,
    "a folder": as_folder,
    "a link": as_link,
    "a pipe": as_pipe,
}


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, name: str, damage: str) -> None:
    checkpoint.save(tmp_path, 1, step(1))
    DAMAGES[damage](checkpoint.save(tmp_path, 2, step(2)) / name)
    assert recovered(tmp_path) == (1, [2])


def rewritten(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def hashed(folder: Path, *, drop: str = "") -> dict[str, str]:
    names = {"tensors.safetensors", "state.json"} - {drop}
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def lists_fewer(folder: Path) -> None:
    rewritten(folder, sha256=hashed(folder, drop="state.json"))


def lists_more(folder: Path) -> None:
    rewritten(folder, sha256=hashed(folder) | {"../../secret": "0"})


def other_step(folder: Path) -> None:
    rewritten(folder, step=1)


def of_another_step(folder: Path) -> None:
    """A whole checkpoint, under the wrong name."""
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name("step-00000001"), folder)


def huge_header(folder: Path) -> None:
    (folder / "tensors.safetensors").write_bytes((2**40).to_bytes(8, "little") + b"{}")
    rewritten(folder, sha256=hashed(folder))


def fewer_tensors(folder: Path) -> None:
    save_file({"other": torch.ones(1)}, folder / "tensors.safetensors")
    rewritten(folder, sha256=hashed(folder))


def nonsense(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "state.json").write_text(text)
        rewritten(folder, sha256=hashed(folder))

    return write


def a_link_itself(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))


HASHES_RIGHT = [lists_fewer, lists_more, other_step, of_another_step, huge_header, fewer_tensors, a_link_itself]
NONSENSE = ["[]", "7", '{"dict": 5}', '{"dict": [[{"dict": []}, 1]]}', '{"tensor": "t99"}', "[" * 100_000, "{"]


@pytest.mark.parametrize("harm", [*HASHES_RIGHT, *map(nonsense, NONSENSE)])
def test_right_hashes_alone_are_not_enough(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    checkpoint.save(tmp_path, 1, step(1))
    harm(checkpoint.save(tmp_path, 2, step(2)))
    assert recovered(tmp_path) == (1, [2])


def test_the_next_checkpoint_keeps_the_whole_one_and_not_the_damaged(tmp_path: Path) -> None:
    """Training went on from step 4: with 8 damaged and counted as kept, 4 would go, and the next one stand alone."""
    for number in (4, 8):
        checkpoint.save(tmp_path, number, step(number))
    flip(tmp_path / "step-00000008" / "state.json")
    found = checkpoint.recover(tmp_path)
    assert found is not None
    checkpoint.clear(tmp_path, found.damaged)
    checkpoint.save(tmp_path, 9, step(9))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000004", "step-00000009"]


def test_none_is_whole_means_zero_and_says_so(tmp_path: Path) -> None:
    for number in (1, 2):
        flip(checkpoint.save(tmp_path, number, step(number)) / "state.json")
    assert recovered(tmp_path) == (None, [2, 1])


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_what_cannot_be_read_gives_way_but_is_never_given_up_for_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    for saved in (1, 2):
        checkpoint.save(tmp_path, saved, step(saved))
    opened = os.open

    def refuse(path: Any, *args: Any, **kwargs: Any) -> int:
        if "step-00000002" in str(path):
            raise OSError(number, os.strerror(number))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    assert recovered(tmp_path) == (1, [2])
    flip(tmp_path / "step-00000001" / "state.json")
    with pytest.raises(FinetuneError, match="could be read") as caught:
        checkpoint.recover(tmp_path)
    assert caught.value.code == "io_error"


class Killed(BaseException):
    """Nothing that comes after it happens, not even a `finally`."""


# Every call by which saving changes the disk.
CHANGES = [
    (checkpoint, "_write_tensors"), (Path, "write_text"), (Path, "mkdir"), (Path, "rename"), (Path, "unlink"),
    (whole, "sync"), (shutil, "rmtree"),
]  # fmt: skip


class Death:
    """Comes at the n-th change of the disk, before or after it is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, before: bool) -> None:
        self.left, self.before, self.dead = at, before, False
        for holder, name in CHANGES:
            monkeypatch.setattr(holder, name, self.around(getattr(holder, name)))

    def around(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def change(*args: Any, **kwargs: Any) -> Any:
            if self.dead:
                return None
            self.left -= 1
            self.dead = self.left < 0
            if not (self.dead and self.before):
                done = original(*args, **kwargs)
            if self.dead:
                raise Killed
            return done

        return change


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("there", [2, 3], ids=["a new step", "a step that is there"])
def test_a_kill_at_any_point_of_a_save_leaves_a_whole_one_and_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: int, before: bool
) -> None:
    for number in range(1, there + 1):
        checkpoint.save(tmp_path / "first", number, step(number))
    for at in range(100):
        folder = tmp_path / str(at)
        shutil.copytree(tmp_path / "first", folder)
        with monkeypatch.context() as patched:
            death = Death(patched, at, before)
            with suppress(Killed):
                checkpoint.save(folder, 3, step(3))
        found, damaged = recovered(folder)
        assert found in (2, 3)
        assert damaged == []
        assert not list(folder.glob(".*"))
        if not death.dead:
            break
    assert 8 < at < 100


FULL: list[tuple[Any, str, BaseException]] = [
    (checkpoint, "save_file", SafetensorError("Error while serializing: I/O error: No space left (os error 28)")),
    (Path, "write_text", OSError(errno.ENOSPC, "No space left on device")),
    (os, "fsync", OSError(errno.ENOSPC, "No space left on device")),
    (Path, "mkdir", OSError(errno.EDQUOT, "Disk quota exceeded")),
]


@pytest.mark.parametrize(("holder", "name", "error"), FULL, ids=lambda part: part if isinstance(part, str) else "")
def test_a_full_disk_is_named_and_leaves_what_there_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holder: Any, name: str, error: BaseException
) -> None:
    for number in (1, 2):
        checkpoint.save(tmp_path, number, step(number))

    def full(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(holder, name, full)
        with pytest.raises(FinetuneError) as caught:
            checkpoint.save(tmp_path, 3, step(3))
    assert caught.value.code == "disk_full"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001", "step-00000002"]
    assert recovered(tmp_path) == (2, [])


def test_everything_is_on_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Power may go at any moment: contents, then the folder that names them, then the rename, then its folder."""
    order: list[str] = []
    synced, renamed = whole.sync, Path.rename

    def sync(path: Path) -> None:
        order.append(path.name)
        synced(path)

    def rename(path: Path, target: Path) -> Path:
        order.append("rename")
        return renamed(path, target)

    monkeypatch.setattr(whole, "sync", sync)
    monkeypatch.setattr(Path, "rename", rename)
    folder = tmp_path / "checkpoints"
    checkpoint.save(folder, 1, step(1))
    assert order[0] == tmp_path.name
    assert set(order[1:4]) == {"tensors.safetensors", "state.json", "manifest.json"}
    assert order[4:] == [".step-00000001.tmp", "rename", "checkpoints"]
