"""The whole import through the child process, and what is left on the disk after each way it can end."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from app.data import dataset_child, datasets
from app.data.dataset_request import ImportRequest
from app.db import Database
from app.errors import Conflict, Invalid, NotFound, Unavailable
from app.models import Dataset, Experiment, Run
from app.settings import Settings

GOOD = b'{"instruction": "Ask a", "response": "Tell a"}\n{"instruction": "Ask b", "response": "Tell b"}\n'
BAD = GOOD + b'{"instruction": "Ask c", "response": ""}\n'

Import = Callable[..., Dataset]


@pytest.fixture
def import_bytes(settings: Settings, database: Database, tmp_path: Path) -> Import:
    def run(content: bytes, name: str = "pairs.jsonl", **fields: str) -> Dataset:
        source = tmp_path / "source"
        source.write_bytes(content)
        with datasets.staging(settings) as folder, database.writing() as session:
            return datasets.import_file(session, settings, source, folder, ImportRequest.of(fields, name))

    return run


def on_disk(settings: Settings) -> list[str]:
    return sorted(str(path.relative_to(settings.datasets_dir)) for path in settings.datasets_dir.rglob("*"))


def stored(database: Database) -> list[Dataset]:
    with database.reading() as session:
        return list(session.exec(select(Dataset)).all())


def test_an_import_leaves_a_row_and_its_two_files(import_bytes: Import, settings: Settings, database: Database) -> None:
    dataset = import_bytes(GOOD)
    assert (dataset.id, dataset.name, dataset.rows, dataset.format) == (1, "pairs", 2, "jsonl")
    assert (dataset.columns, dataset.size_bytes) == (["instruction", "response"], len(GOOD))
    assert on_disk(settings) == ["1", "1/duplicates.json", "1/keys.bin", "1/rows.jsonl"]
    (found,) = stored(database)
    assert found.sha256 == dataset.sha256
    assert found.statistics["used_columns"] == {"prompt": "instruction", "response": "response"}


def test_the_same_file_and_name_twice_make_two_data_sets(import_bytes: Import) -> None:
    assert [import_bytes(GOOD).id, import_bytes(GOOD).id] == [1, 2]


def test_a_refused_file_names_its_bad_rows_and_leaves_nothing(
    import_bytes: Import, settings: Settings, database: Database
) -> None:
    with pytest.raises(Invalid, match="Line 3 has an empty response"):
        import_bytes(BAD)
    assert on_disk(settings) == []
    assert stored(database) == []


def test_bad_rows_are_left_out_where_that_is_asked_for(import_bytes: Import) -> None:
    dataset = import_bytes(BAD, bad_rows="skip")
    assert (dataset.rows, dataset.skipped_rows) == (2, 1)
    assert "Left out: Line 3 has an empty response" in dataset.warnings


def test_a_child_that_is_killed_is_told_and_leaves_nothing(
    import_bytes: Import, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = dataset_child.spawn

    def spawn(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        child = real(*arguments, **options)
        os.kill(child.pid, signal.SIGKILL)
        return child

    monkeypatch.setattr(dataset_child, "spawn", spawn)
    with pytest.raises(Unavailable, match="signal 9"):
        import_bytes(GOOD)
    assert on_disk(settings) == []
    assert stored(database) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_told_and_leaves_nothing(
    import_bytes: Import, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.mkdir

    def mkdir(path: Path, *arguments: Any, **options: Any) -> None:
        real(path, *arguments, **options)
        if path.name == "files":
            (path / "rows.jsonl").symlink_to("/dev/full")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(Unavailable, match="The disk is full"):
        import_bytes(GOOD)
    assert on_disk(settings) == []
    assert stored(database) == []


def test_a_commit_that_fails_leaves_neither_row_nor_files(
    import_bytes: Import, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commit(session: Session) -> None:
        raise ConnectionError("the database is gone")

    monkeypatch.setattr(Session, "commit", commit)
    with pytest.raises(ConnectionError):
        import_bytes(GOOD)
    assert on_disk(settings) == []
    assert stored(database) == []


def test_no_lock_is_held_while_the_child_reads(
    import_bytes: Import, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = dataset_child.run

    def run(*arguments: Any) -> dict[str, Any]:
        with database.writing() as session:  # would wait, and fail, if the import had begun its transaction
            session.add(Experiment(name="meanwhile"))
            session.commit()
        return real(*arguments)

    monkeypatch.setattr(dataset_child, "run", run)
    assert import_bytes(GOOD).id == 1


def test_the_sweep_removes_what_crashes_left_and_nothing_else(
    import_bytes: Import, settings: Settings, database: Database
) -> None:
    for _ in range(2):
        import_bytes(GOOD)
    with database.writing() as session:
        datasets.delete(session, settings, 2)
    for leftover in (".import-crashed/files", "2", "7", "02"):
        (settings.datasets_dir / leftover).mkdir(parents=True)
        (settings.datasets_dir / leftover / "rows.jsonl").write_text("{}\n")
    with datasets.staging(settings) as running, database.writing() as session:
        datasets.sweep(session, settings)
        assert running.is_dir()
    never_given = ["02", "02/rows.jsonl", "7", "7/rows.jsonl"]
    assert on_disk(settings) == sorted([*never_given, "1", "1/duplicates.json", "1/keys.bin", "1/rows.jsonl"])


def test_files_without_a_row_never_stand_in_the_way_of_an_import(import_bytes: Import, settings: Settings) -> None:
    (settings.datasets_dir / "1").mkdir(parents=True)
    (settings.datasets_dir / "1" / "rows.jsonl").write_text("old\n")
    assert import_bytes(GOOD).id == 1
    assert on_disk(settings) == ["1", "1/duplicates.json", "1/keys.bin", "1/rows.jsonl"]
    assert (settings.datasets_dir / "1" / "rows.jsonl").read_text() != "old\n"


def test_deleting_takes_the_files_along_unless_a_run_uses_them(
    dataset: Dataset, settings: Settings, database: Database
) -> None:
    with database.writing() as session:
        session.add(Experiment(id=1, name="e"))
        session.add(Run(id=5, experiment_id=1, dataset_id=1, name="r", config={}))
        session.commit()
        with pytest.raises(Conflict, match="used by run 5"):
            datasets.delete(session, settings, 1)
        assert datasets.runs_using(session, [1, 2]) == {1: 1}
        session.delete(session.get_one(Run, 5))
        session.commit()
        datasets.delete(session, settings, 1)
        with pytest.raises(NotFound):
            datasets.delete(session, settings, 1)
    assert on_disk(settings) == []


def test_a_list_goes_newest_first_and_page_by_page(import_bytes: Import, database: Database) -> None:
    for _ in range(5):
        import_bytes(GOOD)
    with database.reading() as session:
        first = datasets.list_datasets(session, limit=2)
        second = datasets.list_datasets(session, limit=2, cursor=first.next_cursor)
        third = datasets.list_datasets(session, limit=2, cursor=second.next_cursor)
    assert [[d.id for d in page.items] for page in (first, second, third)] == [[5, 4], [3, 2], [1]]
    assert (first.total, third.next_cursor) == (5, None)


def test_local_files_come_from_allowed_folders_only(settings: Settings, tmp_path: Path) -> None:
    allowed, secret = tmp_path / "allowed", tmp_path / "secret.jsonl"
    allowed.mkdir()
    (allowed / "a.jsonl").write_bytes(GOOD)
    secret.write_bytes(GOOD)
    (allowed / "link.jsonl").symlink_to(secret)
    settings = settings.model_copy(update={"model_dirs": str(allowed)})
    for path in ("a.jsonl", str(allowed / "a.jsonl")):
        assert datasets.local_file(settings, path) == allowed / "a.jsonl"
    assert datasets.local_file(settings, str(datasets.SAMPLE_FILE)) == datasets.SAMPLE_FILE
    for path in (str(secret), "link.jsonl", str(allowed / "link.jsonl"), "../secret.jsonl", "/etc/passwd", "a\0b"):
        with pytest.raises(Invalid, match="path: "):
            datasets.local_file(settings, path)
    for path in ("none.jsonl", str(allowed), "."):
        with pytest.raises(Invalid, match="There is no file"):
            datasets.local_file(settings, path)


def test_the_sample_comes_with_the_first_start_and_stays_away_once_deleted(
    settings: Settings, database: Database
) -> None:
    with database.writing() as session:
        for _ in range(2):
            datasets.ensure_sample(session, settings)
        (sample,) = session.exec(select(Dataset)).all()
        assert (sample.name, sample.rows, sample.skipped_rows) == (datasets.SAMPLE_NAME, 2500, 0)
        assert sample.statistics["leakage"]["rows"] == 0
        datasets.delete(session, settings, sample.id or 0)
        datasets.ensure_sample(session, settings)
        assert session.exec(select(Dataset)).all() == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"nmae": "x"}, "nmae"),
        ({"bad_rows": "ignore"}, "bad_rows"),
        ({"format": "xml"}, "format"),
        ({"name": "x" * 201}, "name"),
        ({"columns": "[]"}, "columns"),
        ({"columns": "{"}, "columns"),
        ({"columns": '{"prompt": 1}'}, "columns"),
        ({"columns": '{"promt": "act"}'}, "columns"),
        ({"columns": '{"prompt": "a", "instruction": "b"}'}, "columns"),
    ],
)
def test_a_wrong_field_of_the_form_is_named(fields: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        ImportRequest.of(fields, "a.jsonl")
    assert [error.field for error in caught.value.errors] == [field]


@pytest.mark.parametrize(
    ("stated", "filename", "name"),
    [
        ("", "pairs.jsonl", "pairs"),
        ("  My   pairs ", "pairs.jsonl", "My pairs"),
        ("", "C:\\fakepath\\pairs.jsonl", "pairs"),
        ("", "../../etc/passwd.csv", "passwd"),
        ("", "x" * 300 + ".csv", "x" * 200),
        ("", "a\nb.csv", "a b"),
        ("", "\n.csv", "Data set"),
    ],
)
def test_the_name_is_stated_or_the_files_own(stated: str, filename: str, name: str) -> None:
    assert ImportRequest.of({"name": stated}, filename).name == name


def test_columns_are_stated_under_any_usual_name_of_a_part() -> None:
    request = ImportRequest.of({"columns": '{"question": "q", "output": "a", "group": ""}'}, "a.csv")
    assert request.columns == {"prompt": "q", "response": "a"}
