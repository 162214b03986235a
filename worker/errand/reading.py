"""A base model's way of reading rows, kept between two errands: its tokenizer takes a second to load."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from worker.finetune.tokenizer import load_tokenizer, stop_ids
from worker.finetune.turns import Template, make_template

KEPT = 3


@dataclass(frozen=True)
class Reading:
    tokenizer: Any
    template: Template


def open_reading(model: Path, prompt_template: str) -> Reading:
    """As a run with this base model and `data.prompt_template` reads its rows."""
    changed = max((file.stat().st_mtime_ns for file in model.iterdir()), default=0)
    tokenizer, stops = _load(model, changed)
    return Reading(tokenizer, make_template(prompt_template, tokenizer, stops))


@lru_cache(KEPT)
def _load(model: Path, changed: int) -> tuple[Any, tuple[int, ...]]:  # noqa: ARG001 - files that change are read again
    tokenizer = load_tokenizer(model)
    return tokenizer, stop_ids(model, tokenizer)
