"""Rows as a base model reads them, for the REST API and the pages of data sets alike. A worker's tokenizer tells."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from app.data import datasets, token_counts, token_lengths, token_reader
from app.data.token_counts import Lost
from app.data.token_lengths import Lengths
from app.data.token_reader import TokenReader
from app.db import Database
from app.errors import Invalid
from app.models import Errand
from app.settings import Settings
from app.web import waiting_for

# What a caller waits before it is told how to ask again: the first tokenizer takes two seconds to load.
SECONDS = 8.0


@dataclass(frozen=True)
class Reading:
    model: str
    revision: str | None = None
    prompt_template: str = "auto"
    max_length: int = 512


async def preview(request: Request, dataset_id: int, row: int, reading: Reading, seconds: float = SECONDS) -> Errand:
    """One row as tokens; raises Invalid for a row, model or data set that is not there."""
    reader = await run_in_threadpool(_reader, request, dataset_id, reading, row)
    wanted = _request(dataset_id, reader) | {"row": row, "max_length": reading.max_length}
    return await waiting_for.asked(request, "preview", wanted, seconds)


async def lengths(request: Request, dataset_id: int, reading: Reading, seconds: float = SECONDS) -> Lengths | Errand:
    """Lengths of all rows, at once where they were counted before; else the errand that counts them."""
    reader = await run_in_threadpool(_reader, request, dataset_id, reading)
    settings: Settings = request.app.state.settings
    counts = token_counts.path(settings.dataset_dir(dataset_id), reader.version)
    if found := await run_in_threadpool(_measured, counts, reading):
        return found
    errand = await waiting_for.asked(request, "lengths", _request(dataset_id, reader), seconds)
    return await run_in_threadpool(_measured, counts, reading) or errand


def counted(settings: Settings, dataset_id: int, reading: Reading) -> Lengths | None:
    """What is known already; raises Invalid for a model that is not there."""
    reader = token_reader.find(settings, reading.model, reading.revision, reading.prompt_template)
    return _measured(token_counts.path(settings.dataset_dir(dataset_id), reader.version), reading)


@dataclass(frozen=True)
class RowTokens:
    total: int
    lost: Lost


def of_rows(settings: Settings, dataset_id: int, reading: Reading, numbers: Collection[int]) -> dict[int, RowTokens]:
    """The tokens of some rows, where they have been counted."""
    reader = token_reader.find(settings, reading.model, reading.revision, reading.prompt_template)
    counts = token_counts.read(token_counts.path(settings.dataset_dir(dataset_id), reader.version))
    if counts is None:
        return {}
    rows = {number: (counts.prompt[number], counts.free[number], counts.answer[number]) for number in numbers}
    return {
        number: RowTokens(row[0] + row[2], token_counts.fit(*row, reading.max_length)) for number, row in rows.items()
    }


def _measured(counts: Path, reading: Reading) -> Lengths | None:
    return token_lengths.measure(counts, reading.max_length)


def _request(dataset_id: int, reader: TokenReader) -> dict[str, Any]:
    return {
        "dataset": dataset_id,
        "model": reader.model,
        "revision": reader.revision,
        "prompt_template": reader.prompt_template,
        "version": reader.version,
    }


def _reader(request: Request, dataset_id: int, reading: Reading, row: int = 0) -> TokenReader:
    database: Database = request.app.state.db
    with database.reading() as session:
        rows = datasets.get(session, dataset_id).rows
    if row >= rows:
        raise Invalid.one("row", f"There are {rows:,} rows, counted from 0: the last one is {rows - 1}")
    return token_reader.find(request.app.state.settings, reading.model, reading.revision, reading.prompt_template)
