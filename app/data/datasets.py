"""Data sets: imported by a child process, described, read row by row, deleted.

A data set's files are complete and on the disk before its row is: they are written to a staging folder, which is
renamed while the row is being inserted. What a crash leaves has no row, and `sweep` removes it at the next start.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Integer, text, type_coerce
from sqlmodel import Session, col, func, select

from app import folders
from app.data import dataset_child
from app.data.dataset_request import ImportRequest
from app.db import iso
from app.disk import sync
from app.errors import Conflict, Invalid, NotFound
from app.listing import DEFAULT_LIMIT, Order, Page
from app.models import Dataset, Run
from app.processes import try_lock
from app.settings import SAMPLES, Settings

STAGING = ".import-"
LOCK = "lock"
SAMPLE_FILE = SAMPLES / "data" / "clinic_pairs.jsonl"
SAMPLE_NAME = "Sample: clinic pairs"


@contextmanager
def staging(settings: Settings) -> Iterator[Path]:
    """A folder for one import, gone afterwards; locked, so that another process's sweep leaves it alone."""
    settings.datasets_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=STAGING, dir=settings.datasets_dir))
    try:
        with try_lock(folder / LOCK) or ExitStack():
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def import_file(
    session: Session,
    settings: Settings,
    source: Path,
    folder: Path,
    request: ImportRequest,
    *,
    facts: Mapping[str, Any] | None = None,
) -> Dataset:
    """Read a file by way of a staging folder; raises Invalid with the first bad rows, and then keeps nothing.

    The session must not have begun: no lock is held while the file is read. `facts` join its statistics.
    """
    files = folder / "files"
    files.mkdir()
    report = dataset_child.run(source, files, request)
    report["statistics"] |= facts or {}
    return _keep(session, settings, files, Dataset(name=request.name, **report))


def _keep(session: Session, settings: Settings, files: Path, dataset: Dataset) -> Dataset:
    session.add(dataset)
    session.flush()
    assert dataset.id is not None
    target = settings.dataset_dir(dataset.id)
    folders.remove(target)  # the id is ours: what lies there is left from a crash
    with ExitStack() as undo:
        files.rename(target)
        undo.callback(folders.remove, target)
        sync(settings.datasets_dir)
        session.commit()
        undo.pop_all()
    return dataset


def local_file(settings: Settings, path: str) -> Path:
    """A file on this machine that may be imported: under an allowed model folder or the samples, links resolved."""
    roots = (*settings.model_folders, SAMPLES)
    if not path.isprintable():
        raise Invalid.one("path", "The path has characters that no path has")
    resolved = [(root / path).resolve() for root in roots]
    allowed = [file for file, root in zip(resolved, roots, strict=True) if file.is_relative_to(root)]
    if not allowed:
        listed = ", ".join(map(str, roots))
        raise Invalid.one("path", f"'{path}' is not under a folder that files may be read from ({listed})")
    found = next((file for file in allowed if os.path.isfile(file)), None)
    if found is None:
        raise Invalid.one("path", f"There is no file '{path}'")
    return found


def get(session: Session, dataset_id: int) -> Dataset:
    dataset = session.get(Dataset, dataset_id)
    if dataset is None:
        raise NotFound(f"There is no data set {dataset_id}.")
    return dataset


def list_datasets(session: Session, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Page[Dataset]:
    """Newest first."""
    dataset_id = type_coerce(col(Dataset.id), Integer)
    order = Order("id", dataset_id, dataset_id, descending=True)
    query = select(Dataset).order_by(*order.clauses()).limit(limit + 1)
    found = session.exec(query.where(order.after(cursor)) if cursor else query).all()
    last = found[limit - 1] if len(found) > limit else None
    total = session.exec(select(func.count()).select_from(Dataset)).one()
    return Page(found[:limit], order.cursor(last.id, last.id or 0) if last else None, total)


def runs_using(session: Session, ids: Sequence[int | None]) -> dict[int, int]:
    """How many runs use each data set."""
    query = select(Run.dataset_id, func.count()).where(col(Run.dataset_id).in_(ids)).group_by(col(Run.dataset_id))
    return {dataset_id: number for dataset_id, number in session.exec(query).all() if dataset_id is not None}


def delete(session: Session, settings: Settings, dataset_id: int) -> None:
    dataset = get(session, dataset_id)
    query = select(Run.id).where(Run.dataset_id == dataset_id).order_by(col(Run.id)).limit(4)
    if users := session.exec(query).all():
        named = ", ".join(map(str, users[:3])) + (" and others" if len(users) > 3 else "")
        raise Conflict(f"'{dataset.name}' is used by run {named}: delete what uses it first.")
    session.delete(dataset)
    session.commit()
    folders.remove(settings.dataset_dir(dataset_id))


def sweep(session: Session, settings: Settings) -> None:
    """Remove what crashed imports and interrupted deletions left; for the start of the program."""
    folders.sweep(session, Dataset, settings.datasets_dir)  # nobody else can write: the session holds the lock
    session.rollback()
    for folder in settings.datasets_dir.glob(f"{STAGING}*"):
        if lock := try_lock(folder / LOCK):
            with lock:
                folders.remove(folder)


def ensure_sample(session: Session, settings: Settings) -> None:
    """The bundled data set, imported at the first start only: one that a person deleted stays away."""
    ever_had_one = session.execute(text("SELECT 1 FROM sqlite_sequence WHERE name = 'dataset'")).first()
    session.rollback()
    if ever_had_one:
        return
    with staging(settings) as folder:
        request = ImportRequest.of({"name": SAMPLE_NAME}, SAMPLE_FILE.name)
        import_file(session, settings, SAMPLE_FILE, folder, request)


def to_api(dataset: Dataset, runs: int) -> dict[str, Any]:
    """A data set in the API's shape; `runs` is how many use it."""
    return {**dataset.model_dump(exclude={"created_at"}), "created_at": iso(dataset.created_at), "runs": runs}


def rows_hash(dataset: Dataset) -> str:
    """Of the rows as stored: one file can be read in two ways, by other columns."""
    return str(dataset.statistics.get("rows_sha256", dataset.sha256))
