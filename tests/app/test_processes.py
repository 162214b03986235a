"""Who a process is, beyond its number; and who holds a lock."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.processes import Identity, hold_lock, try_lock


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def identity(process: subprocess.Popen[bytes]) -> Identity:
    found = Identity.of(process.pid)
    assert found
    return found


def test_a_process_is_killed_by_its_identity_once(sleeper: subprocess.Popen[bytes]) -> None:
    known = identity(sleeper)
    assert known.lives
    assert known.kill()
    assert sleeper.wait(10) == -9
    assert not known.lives
    assert not known.kill()


@pytest.mark.parametrize("other", [{"started": 1}, {"boot": "another boot"}], ids=str)
def test_whoever_has_the_number_now_is_left_alone(other: dict[str, object], sleeper: subprocess.Popen[bytes]) -> None:
    forged = replace(identity(sleeper), **other)  # type: ignore[arg-type]
    assert not forged.lives
    assert not forged.kill()
    assert sleeper.poll() is None


def test_a_name_with_brackets_and_spaces_hides_nothing(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    program.symlink_to(Path(sys.executable).resolve())
    with subprocess.Popen([program, "-S", "-c", "import time; time.sleep(60)"]) as process:
        plain = identity(process)
        process.kill()
    mine = Identity.of(os.getpid())
    assert mine
    assert plain.started >= mine.started > 1


def test_a_held_lock_tells_by_whom(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("what an earlier and longer holder left behind, in as many words as this")
    held = hold_lock(path)
    assert held
    with held:
        assert Identity.read(path) == Identity.of(os.getpid())
        assert hold_lock(path) is None
        assert Identity.read(path) == Identity.of(os.getpid())
    again = try_lock(path)
    assert again
    again.close()


@pytest.mark.parametrize("text", ["", "12", "12 34", "a b c", "12 34 boot more"])
def test_a_file_that_names_nobody_is_nobody(text: str, tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(text)
    assert Identity.read(tmp_path / "lock") is None
    assert Identity.read(tmp_path / "none") is None
