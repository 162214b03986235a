"""Deleting takes what was asked for, and nothing beside it: whoever else is at it, and whatever lies in the folder."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from app import up
from app.db import Database
from app.models import Dataset
from app.settings import Settings
from app.status import RunStatus
from tests.stored_runs import add_run
from tests.web.conftest import Web

Tree = dict[str, tuple[int, bytes | str]]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What belongs to somebody else, with links from it and to it."""
    folder = tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    (folder / "precious.txt").write_text("precious")
    (folder / "deep" / "more.txt").write_text("more")
    return folder


def tree(folder: Path) -> Tree:
    """Everything below: kind and content, a link by where it leads."""
    return {
        path.relative_to(folder).as_posix(): (path.lstat().st_mode, content(path)) for path in sorted(folder.rglob("*"))
    }


def content(path: Path) -> bytes | str:
    if path.is_symlink():
        return os.readlink(path)
    return path.read_bytes() if path.is_file() else ""


def fill(folder: Path, outside: Path) -> None:
    """A folder with files, and with links of every kind that lead out of it."""
    (folder / "artifacts").mkdir(parents=True)
    (folder / "artifacts" / "adapter.zip").write_text("mine")
    (folder / "to-file").symlink_to(outside / "precious.txt")
    (folder / "to-folder").symlink_to(outside)
    (folder / "artifacts" / "up").symlink_to("../..")
    (folder / "dangling").symlink_to("/nowhere/at/all")
    os.link(outside / "deep" / "more.txt", folder / "the-same-file")


def test_links_in_a_run_lead_nowhere(client: TestClient, settings: Settings, database: Database, outside: Path) -> None:
    run_id, other = add_run(database, RunStatus.COMPLETED), add_run(database, RunStatus.COMPLETED)
    for number in (run_id, other):
        fill(settings.run_dir(number), outside)
    before, beside = tree(outside), tree(settings.run_dir(other))
    assert client.delete(f"/api/v1/runs/{run_id}").status_code == 204
    assert not settings.run_dir(run_id).exists()
    assert (tree(outside), tree(settings.run_dir(other))) == (before, beside)


def test_links_in_a_data_set_lead_nowhere(
    client: TestClient, settings: Settings, dataset: Dataset, outside: Path
) -> None:
    fill(settings.dataset_dir(1), outside)
    before = tree(outside)
    assert client.delete("/api/v1/datasets/1").status_code == 204
    assert not settings.dataset_dir(1).exists()
    assert tree(outside) == before


@pytest.mark.parametrize("what", ["runs", "datasets"])
def test_a_folder_that_is_a_link_goes_as_a_link(
    client: TestClient, settings: Settings, database: Database, dataset: Dataset, outside: Path, what: str
) -> None:
    number = add_run(database, RunStatus.FAILED) if what == "runs" else 1
    folder = settings.data_dir / what / str(number)
    folder.parent.mkdir(exist_ok=True)
    if folder.exists():
        folder.rename(folder.with_name("moved"))
    folder.symlink_to(outside)
    before = tree(outside)
    assert client.delete(f"/api/v1/{what}/{number}").status_code == 204
    assert not folder.is_symlink()
    assert tree(outside) == before


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING])
def test_a_run_that_has_not_ended_stays(
    client: TestClient, settings: Settings, database: Database, outside: Path, status: RunStatus
) -> None:
    run_id, ended = add_run(database, status), add_run(database, RunStatus.COMPLETED)
    for number in (run_id, ended):
        fill(settings.run_dir(number), outside)
    before = tree(settings.runs_dir)
    assert client.delete(f"/api/v1/runs/{run_id}").status_code == 409
    bulk = client.post("/api/v1/runs/bulk", json={"action": "delete", "ids": [ended, run_id]})
    assert bulk.status_code == 409
    assert tree(settings.runs_dir) == before
    assert client.get(f"/api/v1/runs/{ended}").status_code == 200


def test_a_run_whose_process_still_lives_stays(client: TestClient, settings: Settings, database: Database) -> None:
    run_id = add_run(database, RunStatus.CANCELLED)
    settings.run_dir(run_id).mkdir(parents=True)
    holding = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"
    command = [sys.executable, "-c", holding, settings.run_dir(run_id) / "lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        answer = client.delete(f"/api/v1/runs/{run_id}")
        process.communicate(b"\n")
    assert answer.status_code == 409
    assert "Still stopping" in answer.json()["detail"]
    assert client.delete(f"/api/v1/runs/{run_id}").status_code == 204


def test_a_data_set_in_use_stays(client: TestClient, settings: Settings, database: Database, dataset: Dataset) -> None:
    add_run(database, RunStatus.COMPLETED, dataset_id=1)
    before = tree(settings.datasets_dir)
    assert client.delete("/api/v1/datasets/1").status_code == 409
    assert tree(settings.datasets_dir) == before


def test_deleting_twice_at_once_deletes_once(web: Web, settings: Settings, database: Database, outside: Path) -> None:
    ids = [add_run(database, RunStatus.COMPLETED) for _ in range(5)]
    for run_id in ids:
        fill(settings.run_dir(run_id), outside)
    before = tree(outside)
    urls = [f"{web.address}/api/v1/runs/{run_id}" for run_id in ids for _ in range(4)]
    with ThreadPoolExecutor(20) as pool:
        answers = [answer.status_code for answer in pool.map(httpx.delete, urls)]
    assert sorted(answers) == [204] * 5 + [404] * 15
    assert list(settings.runs_dir.iterdir()) == []
    assert tree(outside) == before


def artifact(settings: Settings, run_id: int, size: int) -> bytes:
    folder = settings.run_dir(run_id) / "artifacts"
    folder.mkdir(parents=True)
    data = os.urandom(1 << 20) * (size >> 20)
    (folder / "adapter.zip").write_bytes(data)
    item = {"name": "adapter.zip", "size_bytes": size, "sha256": "0" * 64, "media_type": "application/zip"}
    (folder / "manifest.json").write_text(json.dumps([item]))
    return data


def test_a_download_under_way_ends_whole(web: Web, settings: Settings, database: Database) -> None:
    run_id = add_run(database, RunStatus.COMPLETED)
    data = artifact(settings, run_id, 64 << 20)  # more than any buffer between the two holds
    with httpx.stream("GET", f"{web.address}/api/v1/runs/{run_id}/artifacts/adapter.zip", timeout=60) as answer:
        pieces: Iterator[bytes] = answer.iter_bytes()
        arrived = [next(pieces)]
        assert httpx.delete(f"{web.address}/api/v1/runs/{run_id}").status_code == 204
        assert not settings.run_dir(run_id).exists()
        arrived += pieces
    assert b"".join(arrived) == data


def test_what_cannot_be_removed_goes_with_the_next_start(
    client: TestClient, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, kept = add_run(database, RunStatus.COMPLETED), add_run(database, RunStatus.COMPLETED)
    for number in (run_id, kept):
        artifact(settings, number, 1 << 20)
    with monkeypatch.context() as patch:
        patch.setattr("app.folders.shutil.rmtree", lambda *_, **__: None)
        assert client.delete(f"/api/v1/runs/{run_id}").status_code == 204
    assert client.get(f"/api/v1/runs/{run_id}").status_code == 404
    assert settings.run_dir(run_id).exists()
    (settings.runs_dir / "99").mkdir()
    (settings.runs_dir / "notes").mkdir()
    up.prepare(settings)
    assert sorted(path.name for path in settings.runs_dir.iterdir()) == [str(kept), "99", "notes"]


@pytest.mark.parametrize("left", ["runs/3", "datasets/1"])
def test_files_whose_database_is_gone_are_not_taken_for_rubbish(tmp_path: Path, left: str) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    (settings.data_dir / left).mkdir(parents=True)
    with pytest.raises(up.Conflict, match="and no database"):
        up.prepare(settings)
    assert (settings.data_dir / left).is_dir()
    assert not (settings.data_dir / "tuneboard.db").exists()
