"""The held-out rows of a run with the answers of base and fine-tuned model, read from its file line by line."""

import heapq
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.artifacts import folder
from app.errors import Invalid
from app.listing import Page, parse_offset
from app.settings import Settings

FILE = "predictions.jsonl"

Prediction = dict[str, Any]


def _score(prediction: Prediction, model: str, name: str) -> float | None:
    value: float | None = prediction["scores"][model].get(name)
    return value


def _loss(prediction: Prediction, model: str) -> float | None:
    nll, tokens = _score(prediction, model, "nll"), _score(prediction, model, "tokens")
    return None if nll is None or not tokens else nll / tokens


def gain(prediction: Prediction) -> float | None:
    base, tuned = (_score(prediction, model, "rouge_l") for model in ("base", "finetuned"))
    return None if base is None or tuned is None else tuned - base


# By the fine-tuned model's scores; `gain` is its ROUGE-L less the base's.
SORTS: dict[str, Callable[[Prediction], float | None]] = {
    "row": lambda p: float(p["row"]),
    "rouge_l": lambda p: _score(p, "finetuned", "rouge_l"),
    "base_rouge_l": lambda p: _score(p, "base", "rouge_l"),
    "gain": gain,
    "loss": lambda p: _loss(p, "finetuned"),
}


def list_predictions(
    settings: Settings, run_id: int, *, sort: str = "row", limit: int, cursor: str | None = None
) -> Page[Prediction]:
    """A page of them."""
    value = SORTS.get(sort.removeprefix("-"))
    if value is None:
        raise Invalid.one("sort", f"One of {', '.join(SORTS)}, with - in front for the largest first")
    file = folder(settings, run_id) / FILE
    if not file.is_file():
        return Page([], None, 0)
    offset, total = parse_offset(cursor), _count(file)
    first = heapq.nsmallest(offset + limit, _read(file), key=_sort_key(value, descending=sort.startswith("-")))
    more = str(offset + limit) if offset + limit < total else None
    return Page(first[offset:], more, total)


def _sort_key(
    value: Callable[[Prediction], float | None], *, descending: bool
) -> Callable[[Prediction], tuple[bool, float, int]]:
    def key(prediction: Prediction) -> tuple[bool, float, int]:
        found = value(prediction)
        return found is None, (-(found or 0.0) if descending else found or 0.0), prediction["row"]

    return key


def _read(file: Path) -> Iterator[Prediction]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _count(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for _ in lines)
