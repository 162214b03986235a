"""The power goes: what the disk has at one moment, without what nobody had it write for good, goes on in a new house.

All processes are frozen while the folder is copied. What an fsync covered stays; of the rest any end may be missing:
of files, by the shim's notes of each fsync; of SQLite's log, after what a checkpoint had begun to copy and after the
last answer that a client got. The log's shared memory is gone, as after every boot.
"""

import shutil
import signal
import stat
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from app import up
from app.db import file_of
from tests.chaos import invariants
from tests.chaos.house import House
from tests.chaos.shim import Shim
from tests.chaos.trial import Outcome, Seed, Trial

TRAINERS = ("steps", "steps", "steps", "steps", "real", "steps", "steps", "steps")
LASTS = {"steps": 4.5, "real": 12.0}
# What trials write down for themselves, and what no power cut can leave half: locks and the trainer's plan.
OWN = ("pids.log", "alive.log", "faults.log", "fake.json", "lock")
HEADER, FRAME = 32, 24
# In the shared memory of SQLite's log: its last frame, its salts, and the last frame that a checkpoint wanted to copy.
LAST_FRAME, SALTS, ATTEMPTED = 16, slice(32, 40), 128


class Revived(House):
    """A house on a folder that has been lived in."""

    def furnish(self) -> None:
        up.prepare(self.settings)


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    shim, notes = Shim(folder), folder / "synced"
    with House(folder, environment=shim.environment | {"CHAOS_SYNCED": str(notes)}) as house:
        with notes.open("a") as known:  # what the house was furnished with has long been on the disk
            files = [file.stat() for file in house.settings.datasets_dir.rglob("*")]
            known.writelines(f"{file.st_ino} {file.st_size}\n" for file in files)
        yield lambda seed: _trial(house, notes, seed)


def _trial(house: House, notes: Path, seed: Seed) -> Outcome:
    trainer = seed.turn(TRAINERS)
    before = notes.stat().st_size
    run_id = house.launch(real=trainer == "real")
    told = _log_state(house) if _log_was_synced(house, notes, before) else bytes(136)
    moment = seed.uniform(0, LASTS[trainer])
    time.sleep(moment)
    new = Revived(house.folder / f"after-{seed.number}", web=False)
    new.acknowledged = dict(house.acknowledged)
    with _frozen(house):
        run = house.run(run_id)
        new.folder.mkdir()
        # By another process: closing SQLite's files in this one would drop its locks on them.
        subprocess.run(["cp", "-a", house.settings.data_dir, new.settings.data_dir], check=True)
        cut = _lose(house, new, notes, told, seed)
    violations = [*house.wait_all(), *invariants.check(house)]
    began = time.monotonic()
    with new:
        violations += [f"after the power cut: {broken}" for broken in _goes_on(new)]
        recovery = time.monotonic() - began
    if not violations:
        shutil.rmtree(new.folder)
    where = f"stage {run['stage']}, step {run['progress']['step']}"
    return Outcome(violations, recovery, f"{trainer} run {run_id} after {moment:.2f} s, {where}; lost {', '.join(cut)}")


def _goes_on(new: House) -> Iterator[str]:
    with new.connection() as connection:
        stored = {number for (number,) in connection.execute("SELECT id FROM run")}
    for run_id in sorted(set(new.acknowledged) - stored):
        yield f"run {run_id} was answered with 201 and is lost"
        del new.acknowledged[run_id]
    yield from new.wait_all()
    for run_id in new.acknowledged:
        if (run := new.run(run_id))["status"] != "completed":
            yield f"run {run_id} is {run['status']}: {run['error']}"
    yield from invariants.check(new)


@contextmanager
def _frozen(house: House) -> Iterator[None]:
    stopped: list[psutil.Process] = house.processes()
    for process in stopped:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)
    try:
        while any(process.is_running() and process.status() not in STOPPED for process in stopped):
            time.sleep(0.001)
        yield
    finally:
        for process in reversed(stopped):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


def _log_was_synced(house: House, notes: Path, since: int) -> bool:
    """Whether an fsync of SQLite's log was noted since then: else even what was answered may be lost."""
    inode = Path(f"{file_of(house.settings.database)}-wal").stat().st_ino
    return any(line.startswith(f"{inode} ") for line in notes.read_text()[since:].splitlines())


def _log_state(house: House) -> bytes:
    """The first bytes of the shared memory of SQLite's log, read without opening it here."""
    file = f"{file_of(house.settings.database)}-shm"
    return subprocess.run(["head", "-c", "136", file], check=True, capture_output=True).stdout


def _lose(house: House, new: House, notes: Path, told: bytes, seed: Seed) -> list[str]:
    """Cut off, here and there, what was not on the disk for good; tells of what."""
    synced: dict[int, int] = {}
    for line in notes.read_text().splitlines() if notes.exists() else []:
        inode, size = map(int, line.split())
        synced[inode] = size
    cut = []
    for original in sorted(house.settings.data_dir.rglob("*")):
        found = original.lstat()
        if not stat.S_ISREG(found.st_mode) or original.name in OWN or original.name.startswith("tuneboard.db"):
            continue
        kept = synced.get(found.st_ino, 0)
        if kept < found.st_size and seed.random() < 0.5:
            file = new.settings.data_dir / original.relative_to(house.settings.data_dir)
            with file.open("r+b") as stream:
                stream.truncate(seed.randint(kept, found.st_size))
            cut.append(original.name)
    return sorted({*cut, *_lose_log(new, told, seed)}) or ["nothing"]


def _lose_log(new: House, told: bytes, seed: Seed) -> list[str]:
    memory, log = (file_of(new.settings.database).with_name(f"tuneboard.db-{name}") for name in ("shm", "wal"))
    now = memory.read_bytes()
    memory.unlink()
    (last,), (attempted,) = (struct.unpack_from("=I", now, place) for place in (LAST_FRAME, ATTEMPTED))
    (answered,) = struct.unpack_from("=I", told, LAST_FRAME) if told[SALTS] == now[SALTS] else (0,)
    if seed.random() < 0.3 or last <= max(answered, attempted):
        return []
    first, whole = (HEADER + frames * (FRAME + 4096) for frames in (max(answered, attempted), last))
    with log.open("r+b") as stream:
        stream.truncate(seed.randint(first, whole))
    return [f"the log's end from frame {max(answered, attempted)} of {last} on"]
