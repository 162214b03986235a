"""Whether a split leaves rows on both sides, and no answer on both: told by a data set's keys, before a launch."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.config_sections import DataConfig, EvaluationConfig
from app.data import row_keys
from app.data.row_keys import KEYS_FILE, NO_KEY
from app.data.split import split
from app.errors import FieldError, Invalid


@dataclass(frozen=True)
class Sides:
    """Rows that a run uses on each side; `leaked` held-out rows have a long response that is trained on too."""

    total: int
    train: int
    validation: int
    held_out: int
    leaked: int
    example: tuple[int, int] | None  # row numbers, 0-based: held out, trained on


def measure(folder: Path, data: DataConfig, max_eval_rows: int | None = None) -> Sides:
    """The sides of a data set's folder. A result is kept: a sweep asks for the same split again and again."""
    version = (folder / KEYS_FILE).stat().st_mtime_ns
    return _measure(
        folder,
        version,
        data.split_seed,
        data.eval_fraction,
        data.validation_fraction,
        data.max_train_rows,
        max_eval_rows,
    )


@lru_cache(maxsize=256)
def _measure(
    folder: Path,
    _version: int,
    seed: int,
    eval_fraction: float,
    validation_fraction: float,
    max_train_rows: int | None,
    max_eval_rows: int | None,
) -> Sides:
    keys = row_keys.read(folder)
    sides = split(
        keys.rows(),
        seed=seed,
        eval_fraction=eval_fraction,
        validation_fraction=validation_fraction,
        max_train_rows=max_train_rows,
        max_eval_rows=max_eval_rows,
    )
    asked = {keys.response(row) for row in sides.held_out} - {NO_KEY}
    trained: dict[bytes, int] = {}
    for row in (*sides.train, *sides.validation):
        if (response := keys.response(row)) in asked:
            trained.setdefault(response, row)
    pairs = [(row, trained[keys.response(row)]) for row in sides.held_out if keys.response(row) in trained]
    return Sides(
        total=len(keys),
        train=len(sides.train),
        validation=len(sides.validation),
        held_out=len(sides.held_out),
        leaked=len(pairs),
        example=pairs[0] if pairs else None,
    )


def check(folder: Path, data: DataConfig, evaluation: EvaluationConfig) -> Sides:
    """The sides of a run about to be launched; raises Invalid where they cannot give a result to be trusted."""
    if not (folder / KEYS_FILE).is_file():
        raise Invalid.one("data.dataset", "The files of this data set are gone: import it again")
    sides = measure(folder, data, evaluation.max_eval_rows)
    if error := _too_few(sides, data) or _leakage(sides, data):
        raise Invalid([error])
    return sides


def _too_few(sides: Sides, data: DataConfig) -> FieldError | None:
    """Which side has no row; rows with the same prompt, or of one group, always stay on one side together."""
    share = f"a share of {data.eval_fraction:g} of {sides.total} rows"
    if sides.held_out == 0:
        return FieldError("data.eval_fraction", f"With {share} none is held out: use a larger share or more rows")
    if sides.train == 0:
        return FieldError("data.eval_fraction", f"With {share} held out none is left to train on: use a smaller share")
    if data.validation_fraction > 0 and sides.validation == 0:
        return FieldError(
            "data.validation_fraction",
            f"A share of {data.validation_fraction:g} of {sides.train} training rows gives no validation row: "
            "use a larger share or more rows",
        )
    return None


def _leakage(sides: Sides, data: DataConfig) -> FieldError | None:
    if data.allow_leakage or sides.example is None:
        return None
    held_out, trained = sides.example
    return FieldError(
        "data.allow_leakage",
        f"{sides.leaked} of {sides.held_out} held-out rows have a response that is also trained on "
        f"(row {held_out + 1} has that of row {trained + 1}), so the results would be too good. Remove the duplicates, "
        "give the rows a group column, or allow leakage",
    )
