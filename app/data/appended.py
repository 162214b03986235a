"""A data set made of two: the rows of one, then those of the other, through the same import as any file.

A row's side of the split depends on the row alone (app.data.split), so what either data set holds out stays held out.
Results on it still do not compare with those on either: other rows are asked.
"""

import shutil
from pathlib import Path

from sqlmodel import Session

from app.data import datasets
from app.data.dataset_request import NAME_LENGTH, ImportRequest
from app.data.rows import ROWS_FILE
from app.errors import Invalid, NotFound
from app.models import Dataset
from app.settings import Settings

FILE = "both.jsonl"


def append(session: Session, settings: Settings, first_id: int, second_id: int, name: str = "") -> Dataset:
    """The new data set; both others stay as they are. Raises Invalid by `dataset` or `name`."""
    first, second = datasets.get(session, first_id), _second(session, first_id, second_id)
    together = f"{first.name[: NAME_LENGTH // 2 - 2]} + {second.name[: NAME_LENGTH // 2 - 2]}"
    request = ImportRequest.of({"name": name.strip() or together}, FILE)
    made_of = [{"id": part.id, "name": part.name, "rows": part.rows} for part in (first, second)]
    session.rollback()  # files are read from here on: not with the write lock held
    with datasets.staging(settings) as folder:
        source = folder / FILE
        _join(source, [settings.dataset_dir(number) / ROWS_FILE for number in (first_id, second_id)])
        return datasets.import_file(session, settings, source, folder, request, facts={"made_of": made_of})


def _second(session: Session, first_id: int, second_id: int) -> Dataset:
    if first_id == second_id:
        raise Invalid.one("dataset", "Choose another one: a data set appended to itself only repeats its rows")
    try:
        return datasets.get(session, second_id)
    except NotFound as error:
        raise Invalid.one("dataset", str(error)) from None


def _join(target: Path, parts: list[Path]) -> None:
    try:
        with target.open("wb") as file:
            for part in parts:
                with part.open("rb") as rows:
                    shutil.copyfileobj(rows, file)
    except FileNotFoundError:
        raise Invalid.one("dataset", "The files of one of them are gone: import it again") from None
