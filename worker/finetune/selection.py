"""The rows that a run uses: read from the stored file, split by app.data.split, and checked for leaks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.config_sections import DataConfig, EvaluationConfig
from app.data.rows import Row, read_rows
from app.data.split import LEAK_CHARACTERS, key, normalise, split
from worker.finetune.errors import FinetuneError
from worker.finetune.reporter import Reporter, check_stop

Numbered = tuple[int, Row]  # the row's number in the file, 0-based


@dataclass(frozen=True)
class Selection:
    train: list[Numbered]
    validation: list[Numbered]
    held_out: list[Numbered]


def select(path: Path, data: DataConfig, evaluation: EvaluationConfig, reporter: Reporter) -> Selection:
    """Read the file twice, keys first, so that only rows that are used are held in memory."""
    keys = [row.key for _, row in _read(path, reporter)]
    sides = split(
        keys,
        seed=data.split_seed,
        eval_fraction=data.eval_fraction,
        validation_fraction=data.validation_fraction,
        max_train_rows=data.max_train_rows,
        max_eval_rows=evaluation.max_eval_rows,
    )
    wanted = {*sides.train, *sides.validation, *sides.held_out}
    rows = {number: row for number, row in _read(path, reporter) if number in wanted}
    selection = Selection(*([(n, rows[n]) for n in side] for side in (sides.train, sides.validation, sides.held_out)))
    _check_enough(selection, len(keys), data)
    if not data.allow_leakage:
        _check_leakage(selection)
    return selection


def _read(path: Path, reporter: Reporter) -> Iterator[Numbered]:
    for number, row in enumerate(read_rows(path)):
        if number % 1000 == 0:
            check_stop(reporter)
        yield number, row


def _check_enough(selection: Selection, total: int, data: DataConfig) -> None:
    named = [("training", selection.train), ("held-out", selection.held_out)]
    if data.validation_fraction > 0:
        named.append(("validation", selection.validation))
    for name, rows in named:
        if not rows:
            raise FinetuneError(
                "too_few_rows",
                "Too few rows for the split",
                f"Of {total} rows none falls on the {name} side (eval_fraction {data.eval_fraction:g}, "
                f"validation_fraction {data.validation_fraction:g}, split_seed {data.split_seed}).",
                "Use more rows, or change data.eval_fraction.",
            )


def _check_leakage(selection: Selection) -> None:
    seen = _long_responses([*selection.train, *selection.validation])
    shared = [number for number, row in selection.held_out if _long_response(row) in seen]
    if shared:
        raise FinetuneError(
            "leakage",
            "Held-out answers are in the training rows",
            f"{len(shared)} held-out rows share their response with a training row; row {shared[0] + 1} is the first.",
            "Remove the duplicates, give the data set a group column, or set data.allow_leakage.",
        )


def _long_responses(rows: Iterable[Numbered]) -> set[bytes]:
    return {found for _, row in rows if (found := _long_response(row)) is not None}


def _long_response(row: Row) -> bytes | None:
    return key(row.reference) if len(normalise(row.reference)) >= LEAK_CHARACTERS else None
