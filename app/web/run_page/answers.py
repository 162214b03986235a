"""Held-out rows with the answers of base and fine-tuned model; words that ROUGE-L counts are marked."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from app import predictions
from app.models import Run
from app.overlap import Piece, pieces
from app.predictions import Prediction
from app.rows import ROWS_FILE, read_rows
from app.settings import Settings

PAGE_ROWS = 5

# Name in the address -> (what the link says, app.predictions' sort).
ORDERS = {
    "changed": ("Most improved", "-gain"),
    "worse": ("Got worse", "gain"),
    "worst": ("Worst", "rouge_l"),
    "row": ("In order", "row"),
}

# Questions are looked up in the stored data set; beyond this the prompt itself has to do.
LARGEST_LOOKUP_BYTES = 50_000_000


@dataclass(frozen=True)
class Answer:
    pieces: list[Piece]
    rouge_l: float | None


@dataclass(frozen=True)
class Row:
    """`prompt` is the exact text that the model was given; `question` what the data set's row asks."""

    number: int
    question: str
    prompt: str
    reference: str
    base: Answer
    finetuned: Answer | None

    @property
    def gain(self) -> float | None:
        if self.finetuned is None or self.finetuned.rouge_l is None or self.base.rouge_l is None:
            return None
        return self.finetuned.rouge_l - self.base.rouge_l


@dataclass(frozen=True)
class Answers:
    """A page of rows; `order` is a key of ORDERS, `more` the offset of the next page."""

    rows: list[Row]
    total: int
    order: str
    offset: int
    more: int | None
    page_rows: int = PAGE_ROWS


def answers(settings: Settings, run: Run, order: str, offset: int) -> Answers:
    assert run.id is not None
    order = order if order in ORDERS else next(iter(ORDERS))
    found = predictions.list_predictions(settings, run.id, sort=ORDERS[order][1], limit=PAGE_ROWS, cursor=str(offset))
    questions = _questions(settings, run, found.items)
    rows = [_row(item, questions.get(item["row"], str(item["prompt"]))) for item in found.items]
    return Answers(rows, found.total, order, offset, int(found.next_cursor) if found.next_cursor else None)


def _row(item: Prediction, question: str) -> Row:
    return Row(
        item["row"],
        question,
        item["prompt"],
        item["reference"],
        _answer(item, "base"),
        _answer(item, "finetuned") if item.get("finetuned") is not None else None,
    )


def _answer(item: Prediction, model: str) -> Answer:
    score = item["scores"].get(model, {}).get("rouge_l")
    return Answer(_pieces(item[model], item["reference"]), score)


@lru_cache(maxsize=500)
def _pieces(answer: str, reference: str) -> list[Piece]:
    return pieces(answer, reference)


def _questions(settings: Settings, run: Run, items: Iterable[Prediction]) -> dict[int, str]:
    numbers = frozenset(item["row"] for item in items)
    if run.dataset_id is None or not numbers:
        return {}
    return dict(_looked_up(settings.dataset_dir(run.dataset_id) / ROWS_FILE, numbers))


@lru_cache(maxsize=64)
def _looked_up(file: Path, numbers: frozenset[int]) -> tuple[tuple[int, str], ...]:
    """A stored data set never changes, and its id is never used again."""
    if not file.is_file() or file.stat().st_size > LARGEST_LOOKUP_BYTES:
        return ()
    rows = islice(enumerate(read_rows(file)), max(numbers) + 1)
    return tuple((number, row.prompt) for number, row in rows if number in numbers)
