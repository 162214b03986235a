"""Importing in this process; tests/app/test_datasets.py does it through the child."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.data.dataset_import import importing
from app.data.rows import ROWS_FILE, Row, read_rows
from app.errors import Invalid


@dataclass
class Imported:
    report: dict[str, Any]
    rows: list[Row]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(row.prompt, row.reference) for row in self.rows]

    @property
    def statistics(self) -> dict[str, Any]:
        statistics: dict[str, Any] = self.report["statistics"]
        return statistics


Importer = Callable[..., Imported]
Refuser = Callable[..., list[str]]


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    """importer(content, format, columns={}, skip=False): bytes in, rows and report out."""

    def run(
        content: bytes, format: str = "jsonl", columns: dict[str, str] | None = None, skip: bool = False
    ) -> Imported:
        folder = tmp_path / "out"
        folder.mkdir(exist_ok=True)
        source = tmp_path / "source"
        source.write_bytes(content)
        report = importing.run(source, folder, format=format, columns=columns or {}, skip=skip)
        return Imported(report, list(read_rows(folder / ROWS_FILE)))

    return run


@pytest.fixture
def refuser(importer: Importer) -> Refuser:
    """The messages with which a file is refused."""

    def run(*arguments: Any, **options: Any) -> list[str]:
        with pytest.raises(Invalid) as caught:
            importer(*arguments, **options)
        return [error.message for error in caught.value.errors]

    return run
