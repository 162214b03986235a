"""The tokens of every row of a data set, as one base model reads it, counted into a file."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from app.data import token_counts
from app.data.rows import read_rows
from app.data.token_counts import Counts
from worker.errand.reading import open_reading
from worker.finetune.reporter import Silent
from worker.finetune.selection import Numbered
from worker.finetune.tokens import encode

ROWS_AT_ONCE = 500


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    reading = open_reading(Path(request["model_path"]), request["prompt_template"])
    counts = Counts(reading.template.kind)
    for rows in _parts(Path(request["rows"])):
        for row in encode(rows, reading.template, reading.tokenizer, Silent()):
            counts.add(len(row.prompt), sum(row.free), len(row.answer))
        emit({"done": len(counts)})
    token_counts.write(Path(request["counts"]), counts)
    return {"done": len(counts)}


def _parts(path: Path) -> Iterator[list[Numbered]]:
    rows = enumerate(read_rows(path))
    while part := list(islice(rows, ROWS_AT_ONCE)):
        yield part
