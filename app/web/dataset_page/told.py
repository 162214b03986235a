"""What a worker told of a data set: an answer, or that it is still at it, or why there is none."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request

from app import errands
from app.data.token_lengths import Lengths
from app.errors import TuneboardError
from app.models import Errand
from app.web import token_readings
from app.web.dataset_page import tokens
from app.web.token_readings import Reading

# So long a page waits for it.
LENGTHS_SECONDS, ROW_SECONDS = 1.5, 6.0


@dataclass(frozen=True)
class Told:
    answer: Any = None
    errand: Errand | None = None
    refusal: str = ""


async def lengths(request: Request, dataset_id: int, reading: Reading) -> Told:
    try:
        found = await token_readings.lengths(request, dataset_id, reading, LENGTHS_SECONDS)
    except TuneboardError as refused:
        return Told(refusal=_sentence(refused))
    return Told(found) if isinstance(found, Lengths) else _of(found)


async def row(request: Request, dataset_id: int, number: int, reading: Reading) -> Told:
    try:
        told = _of(await token_readings.preview(request, dataset_id, number, reading, ROW_SECONDS))
    except TuneboardError as refused:
        return Told(refusal=_sentence(refused))
    return Told(tokens.view(told.answer)) if told.answer else told


def _of(errand: Errand) -> Told:
    if errand.status in errands.OPEN:
        return Told(errand=errand)
    try:
        return Told(errands.answer_of(errand))
    except TuneboardError as refused:
        return Told(refusal=str(refused))


def _sentence(refused: TuneboardError) -> str:
    """What is wrong, without the name of its field: there is one form on the page."""
    return "; ".join(error.message for error in getattr(refused, "errors", ())) or str(refused)
