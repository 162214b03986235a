"""A backup and what becomes of it: whole, checked, made while others write, unpacked into an empty folder only."""

import hashlib
import io
import json
import os
import random
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest
from sqlmodel import col, select
from sqlmodel import delete as delete_from

from app import runs
from app.backups import archive, backup, snapshot
from app.backups.backup import make
from app.backups.restore import restore
from app.data import datasets
from app.db import Database, file_of, opened
from app.errors import Conflict, DiskFull
from app.models import Dataset, Run
from app.processes import exclusive
from app.settings import Settings
from app.status import RunStatus
from tests.stored_runs import add_points, add_run

Json = dict[str, object]


@pytest.fixture
def lived_in(settings: Settings, database: Database, dataset: Dataset) -> Settings:
    """A data set, a completed run, one that runs, one that waits; and what must not come along."""
    for status in (RunStatus.COMPLETED, RunStatus.RUNNING, RunStatus.QUEUED):
        add_run(database, status, dataset_id=1)
    add_points(database, 1, "train/loss", {1: 2.5, 2: 2.25})
    put(settings.run_dir(1), "artifacts/adapter.zip", "an adapter")
    put(settings.run_dir(1), "checkpoints/step-2/state.json", "not needed any more")
    put(settings.run_dir(1), "exports/merged/model.safetensors", "as large as its base, and made again in minutes")
    put(settings.run_dir(2), "checkpoints/step-1/state.json", "needed")
    put(settings.run_dir(2), "metrics.jsonl", "{}\n")
    put(settings.run_dir(2), "checkpoints/.step-2.tmp/state.json", "half")
    put(settings.run_dir(2), "lock", "123")
    put(settings.baselines_dir, "key.json", "{}")
    put(settings.data_dir, "secret", "a secret")
    (settings.run_dir(2) / "outside").symlink_to("/etc/hostname")
    put(settings.downloads_dir, "models--o--n/blobs/123", "weights")
    snapshot = settings.downloads_dir / "models--o--n/snapshots/c0ffee"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to("../../blobs/123")
    put(settings.downloads_dir, "models--o--n/refs/main", "c0ffee")
    return settings


def put(folder: Path, name: str, content: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)


def empty(tmp_path: Path, name: str = "restored") -> Settings:
    return Settings(data_dir=tmp_path / name)


def files(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if path.suffix not in (".db", ".lock")}


def tables(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(file_of(settings.database))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}


def test_what_comes_back_is_what_was_there(lived_in: Settings, tmp_path: Path) -> None:
    made = make(lived_in, tmp_path / "b.tar")
    assert (made.runs, made.datasets, made.notes) == (3, 1, [])
    other = empty(tmp_path)
    found = restore(other, made.file)
    assert (found.runs, found.datasets, found.unfinished) == (3, 1, 2)
    assert tables(other) == tables(lived_in)
    rows = {name: data for name, data in files(lived_in.data_dir).items() if name.startswith("datasets/")}
    assert files(other.data_dir) == rows | {
        "runs/1/artifacts/adapter.zip": b"an adapter",
        "runs/2/checkpoints/step-1/state.json": b"needed",
        "runs/2/metrics.jsonl": b"{}\n",
        "baselines/key.json": b"{}",
    }


def test_models_come_along_when_asked_and_once(lived_in: Settings, tmp_path: Path) -> None:
    other = empty(tmp_path)
    restore(other, make(lived_in, tmp_path / "b.tar", with_models=True).file)
    assert {name: data for name, data in files(other.data_dir).items() if name.startswith("models/")} == {
        "models/models--o--n/snapshots/c0ffee/model.safetensors": b"weights",
        "models/models--o--n/refs/main": b"c0ffee",
    }


def test_ids_are_not_used_again_after_a_restore(lived_in: Settings, database: Database, tmp_path: Path) -> None:
    last = add_run(database, RunStatus.CANCELLED)
    with database.writing() as session:
        runs.delete_runs(session, lived_in, [last])
    other = empty(tmp_path)
    restore(other, make(lived_in, tmp_path / "b.tar").file)
    with opened(other.database) as copy:
        assert add_run(copy) == last + 1


def test_a_folder_gets_a_file_of_its_own_and_nothing_else(lived_in: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    made = make(lived_in, folder)
    assert [path.name for path in folder.iterdir()] == [made.file.name]
    with pytest.raises(Conflict, match="is there already"):
        make(lived_in, made.file)


def test_without_a_database_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="nothing to back up"):
        make(empty(tmp_path), tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()


def during(monkeypatch: pytest.MonkeyPatch, happens: Callable[[str], None]) -> None:
    """Something happens just before a file is opened, each time."""
    really = backup._open

    def open_later(file: Path) -> IO[bytes]:
        happens(file.as_posix())
        return really(file)

    monkeypatch.setattr(backup, "_open", open_later)


@pytest.mark.parametrize("name", ["artifacts/a", "artifacts/b"])
def test_what_is_deleted_meanwhile_is_not_in_the_backup(
    settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    kept, gone = add_run(database, RunStatus.COMPLETED), add_run(database, RunStatus.COMPLETED)
    for run_id in (kept, gone):
        put(settings.run_dir(run_id), "artifacts/a", "a")
        put(settings.run_dir(run_id), "artifacts/b", "b")

    def remove(file: str) -> None:
        if file.endswith(f"{gone}/{name}"):
            with database.writing() as session:
                session.exec(delete_from(Run).where(col(Run.id) == gone))
                session.commit()
            (settings.run_dir(gone) / "artifacts/b").unlink(missing_ok=True)

    during(monkeypatch, remove)
    made = make(settings, tmp_path / "b.tar")
    other = empty(tmp_path)
    assert made.runs == restore(other, made.file).runs == 1
    assert sorted(files(other.data_dir)) == [f"runs/{kept}/artifacts/a", f"runs/{kept}/artifacts/b"]


@pytest.mark.parametrize("while_reading", ["/datasets/", "/runs/"])
def test_a_data_set_and_its_runs_are_deleted_meanwhile(
    lived_in: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, while_reading: str
) -> None:
    def delete(file: str) -> None:
        if while_reading in file:
            with database.writing() as session:
                for run in session.exec(select(Run)):
                    session.delete(run)
                session.commit()
                if session.get(Dataset, 1):
                    datasets.delete(session, lived_in, 1)

    during(monkeypatch, delete)
    other = empty(tmp_path)
    found = restore(other, make(lived_in, tmp_path / "b.tar").file)
    assert (found.runs, found.datasets) == (0, 1 if while_reading == "/runs/" else 0)
    assert (other.datasets_dir / "1").exists() == bool(found.datasets)


def test_a_checkpoint_is_replaced_meanwhile(
    settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = add_run(database, RunStatus.RUNNING)
    folder = settings.run_dir(run_id) / "checkpoints"
    put(folder, "step-1/state.json", "1")
    steps = iter(range(2, 5))

    def replace(file: str) -> None:
        for step in steps:
            put(folder, f"step-{step}/state.json", str(step))
            (folder / f"step-{step - 1}" / "state.json").unlink()
            return

    during(monkeypatch, replace)
    other = empty(tmp_path)
    restore(other, make(settings, tmp_path / "b.tar").file)
    assert files(other.data_dir) == {f"runs/{run_id}/checkpoints/step-4/state.json": b"4"}


def test_points_are_never_behind_a_checkpoint(
    settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run writes its point first and its checkpoint then, while the backup looks."""
    run_dir = settings.run_dir(add_run(database, RunStatus.RUNNING))
    step = 0

    def train(_: str) -> None:
        nonlocal step
        step += 1
        with (run_dir / "metrics.jsonl").open("a") as points:
            points.write(f"{step}\n")
        put(run_dir, "checkpoints/state.json", str(step))

    run_dir.mkdir(parents=True)
    train("")
    during(monkeypatch, train)
    other = empty(tmp_path)
    restore(other, make(settings, tmp_path / "b.tar").file)
    found = {Path(name).name: data for name, data in files(other.data_dir).items()}
    assert found["metrics.jsonl"].split()[-1] >= found["state.json"] >= b"2"


def test_a_file_that_grows_or_shrinks_meanwhile_does_no_harm(settings: Settings, tmp_path: Path) -> None:
    grows, shrinks = tmp_path / "grows", tmp_path / "shrinks"
    for file in (grows, shrinks):
        file.write_bytes(b"x" * 10)
    with (tmp_path / "b.tar").open("wb") as stream, grows.open("rb") as one, shrinks.open("rb") as two:
        writer = archive.Writer(stream)
        grows.write_bytes(b"x" * 10 + b"y" * 10)
        shrinks.write_bytes(b"z")
        writer.add("runs/1/grows", one, 10)
        writer.add("runs/1/shrinks", two, 10)
        writer.add(archive.DATABASE, io.BytesIO(b"db"), 2)
        writer.finish("1", "0001", "now")
    with archive.reading(tmp_path / "b.tar") as reader:
        found = {entry.name: b"".join(content) for entry, content in reader.files()}
    assert found == {"runs/1/grows": b"x" * 10, "runs/1/shrinks": b"z" + b" " * 9, archive.DATABASE: b"db"}


def test_a_full_disk_leaves_no_half_backup(lived_in: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup.archive.Writer, "finish", full)
    with pytest.raises(DiskFull):
        make(lived_in, folder)
    assert list(folder.iterdir()) == []


def test_a_backup_that_reads_back_wrong_gets_no_name(
    lived_in: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flip(descriptor: int) -> None:
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        if name.endswith(f"b.tar.{os.getpid()}.tmp"):
            with open(name, "r+b") as file:
                file.seek(600)
                file.write(b"\xff")

    monkeypatch.setattr(backup.os, "fsync", flip)
    with pytest.raises(Conflict, match="is damaged"):
        make(lived_in, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()


# --- what a restore refuses


def assert_refused(settings: Settings, file: Path, words: str) -> None:
    """With a sentence, and with nothing of it in the folder."""
    with pytest.raises(Conflict, match=words):
        restore(settings, file)
    left = {path.name for path in settings.data_dir.iterdir()} if settings.data_dir.exists() else set()
    assert left <= {"up.lock", "prepare.lock"}


def test_a_folder_that_has_a_database_is_left_alone(lived_in: Settings, tmp_path: Path) -> None:
    file = make(lived_in, tmp_path / "b.tar").file
    before = files(lived_in.data_dir), tables(lived_in)
    with pytest.raises(Conflict, match="There is a database already"):
        restore(lived_in, file)
    assert (files(lived_in.data_dir), tables(lived_in)) == before


def test_a_folder_with_anything_in_it_is_left_alone(lived_in: Settings, tmp_path: Path) -> None:
    file, other = make(lived_in, tmp_path / "b.tar").file, empty(tmp_path)
    put(other.runs_dir, "7/artifacts/adapter.zip", "precious")
    with pytest.raises(Conflict, match="is not empty: it has runs"):
        restore(other, file)
    assert files(other.data_dir) == {"runs/7/artifacts/adapter.zip": b"precious"}


def test_a_folder_in_use_is_left_alone(lived_in: Settings, tmp_path: Path) -> None:
    file, other = make(lived_in, tmp_path / "b.tar").file, empty(tmp_path)
    other.data_dir.mkdir()
    with exclusive(other.data_dir / "up.lock", ""):
        assert_refused(other, file, rf"Tuneboard runs on the data folder .* \(process {os.getpid()}\)")


def test_what_a_killed_restore_left_is_no_obstacle(lived_in: Settings, tmp_path: Path) -> None:
    file, other = make(lived_in, tmp_path / "b.tar").file, empty(tmp_path)
    put(other.data_dir, ".restoring/runs/1/half", "half")
    put(other.data_dir, "up.lock", "1")
    restore(other, file)
    assert "runs/1/half" not in files(other.data_dir)


def test_any_damage_is_refused_before_anything_is_in_place(lived_in: Settings, tmp_path: Path) -> None:
    """A bit anywhere that matters, or an end anywhere: refused, or harmless as in the tar's padding."""
    whole = make(lived_in, tmp_path / "b.tar").file.read_bytes()
    damaged, chance = tmp_path / "damaged.tar", random.Random(4)
    reference = empty(tmp_path, "reference")
    restore(reference, tmp_path / "b.tar")
    refused = 0
    for number in range(120):
        place = chance.randrange(len(whole))
        bit = bytes([whole[place] ^ 1 << chance.randrange(8)])
        damaged.write_bytes(whole[:place] + bit + whole[place + 1 :] if number % 3 else whole[:place])
        other = empty(tmp_path, f"restored-{number}")
        try:
            restore(other, damaged)
        except Conflict:
            refused += 1
            assert {path.name for path in other.data_dir.glob("*")} <= {"up.lock", "prepare.lock"}
        else:
            assert files(other.data_dir) == files(reference.data_dir)
            assert tables(other) == tables(reference)
    assert refused > 60


def forged(file: Path, members: list[tuple[tarfile.TarInfo, bytes]], *, named: bool = True, rows: bytes = b"") -> Path:
    """A backup by somebody else: it has a database, these members, and a manifest that fits them."""
    content = [*members, (tarfile.TarInfo(archive.DATABASE), rows)]
    entries = [entry(info, data) for info, data in (content if named else content[-1:])]
    manifest = {"format": 1, "version": "1", "revision": "0001", "created_at": "", "files": entries}
    content.append((tarfile.TarInfo(archive.MANIFEST), json.dumps(manifest).encode()))
    with tarfile.open(file, "w") as tar:
        for info, data in content:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file


def entry(info: tarfile.TarInfo, data: bytes) -> Json:
    return {"name": info.name, "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/tmp/outside",
        "runs/../../outside",
        "runs/1/../../../outside",
        "runs//1",
        "runs/./1",
        "secret",
        "up.lock",
        "runs",
        "runs/a\nb",
        "RUNS/1",
    ],
)
def test_no_name_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    file = forged(tmp_path / "b.tar", [(tarfile.TarInfo(name), b"x")])
    assert_refused(empty(tmp_path), file, "does not belong into a backup")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE])
def test_only_plain_files_are_unpacked(kind: bytes, tmp_path: Path) -> None:
    info = tarfile.TarInfo("runs/1/link")
    info.type, info.linkname = kind, "/etc/passwd"
    assert_refused(empty(tmp_path), forged(tmp_path / "b.tar", [(info, b"")]), "is not a plain file")


def test_every_member_is_in_the_manifest(tmp_path: Path) -> None:
    file = forged(tmp_path / "b.tar", [(tarfile.TarInfo("runs/1/x"), b"x")], named=False)
    assert_refused(empty(tmp_path), file, "other files than its manifest says")
    twice = forged(tmp_path / "c.tar", [(tarfile.TarInfo("runs/1/x"), b"x"), (tarfile.TarInfo("runs/1/x"), b"x")])
    assert_refused(empty(tmp_path), twice, "other files than its manifest says")


def test_a_file_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello " * 1000)
    (tmp_path / "nothing").touch()
    assert_refused(empty(tmp_path), tmp_path / "text", "no tar file")
    assert_refused(empty(tmp_path), tmp_path / "nothing", "no tar file|manifest is missing")
    assert_refused(empty(tmp_path), tmp_path / "missing", "No such file")
    assert_refused(empty(tmp_path), tmp_path, "Is a directory")


def test_a_backup_of_a_newer_schema_is_refused(lived_in: Settings, tmp_path: Path) -> None:
    """Whatever the manifest says."""
    with closing(sqlite3.connect(file_of(lived_in.database))) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Conflict, match="newer Tuneboard"):
        make(lived_in, tmp_path / "b.tar")
    snapshot.take(file_of(lived_in.database), tmp_path / "rows.db")
    file = forged(tmp_path / "b.tar", [], rows=(tmp_path / "rows.db").read_bytes())
    assert_refused(empty(tmp_path), file, r"newer Tuneboard \(schema 9999")


def test_a_database_that_is_none_is_refused(tmp_path: Path) -> None:
    file = forged(tmp_path / "b.tar", [], rows=b"no database " * 100)
    assert_refused(empty(tmp_path), file, "The database in .* cannot be read")
