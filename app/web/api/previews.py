"""/previews and /datasets/{id}/lengths: rows as a base model reads them, which a worker's tokenizer tells."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from app import errands
from app.data.token_lengths import Lengths as Measured
from app.models import Errand as Row
from app.web import token_readings
from app.web.api.bodies import Body, RowId
from app.web.api.documented import BODY, problems
from app.web.api.errands import Errand
from app.web.api.shapes import Shape
from app.web.deps import Id
from app.web.token_readings import Reading

router = APIRouter(tags=["data sets"])

LATER: dict[int | str, dict[str, Any]] = {
    202: {"model": Errand, "description": "A worker is at it: ask `/errands/{id}` how far it is."}
}


class Read(Body):
    """How a base model reads rows: its tokenizer, the prompt template, and the tokens that there is room for."""

    model: Annotated[str, Field(min_length=1, max_length=500, description="A base model on this machine.")]
    revision: Annotated[str, Field(max_length=200)] | None = None
    prompt_template: Annotated[str, Field(min_length=1, max_length=20_000)] = "auto"
    max_length: Annotated[int, Field(ge=16, le=131_072)] = 512

    def reading(self) -> Reading:
        return Reading(self.model, self.revision or None, self.prompt_template, self.max_length)


class PreviewOf(Read):
    dataset: RowId
    row: int = Field(ge=0, le=2**31, description="Counted from 0, in file order.")


class Token(Shape):
    id: int
    text: str = Field(description="A character that several tokens make up stands at the last of them.")
    trained: bool = Field(description="Whether the loss counts it.")
    special: bool


class Truncated(Shape):
    prompt_tokens: int
    answer_tokens: int


class Preview(Shape):
    row: int
    text: str
    tokens: list[Token]
    tokens_before: int = Field(description="Before anything was shortened.")
    truncated: Truncated = Field(description="Tokens that did not fit.")
    prompt_template: str = Field(description="`chat`, `plain` or `custom`: what the rows were written with.")
    max_length: int


class Lengths(Shape):
    """Tokens by row: of the prompt, of the response with its end mark, and of both."""

    template: str
    max_length: int
    rows: int
    fitting: int
    shortened: int = Field(description="Rows whose prompt loses its beginning.")
    cut: int = Field(description="Rows whose response loses its end.")
    no_room: int = Field(description="Rows with no room for an answer at all: a run refuses them.")
    prompt: dict[str, Any]
    response: dict[str, Any]
    whole: dict[str, Any]


@router.post("/previews", response_model=Preview, responses=LATER | problems(*BODY, 404, 409), summary="Preview a row")
async def preview(body: PreviewOf, request: Request) -> Any:
    """One row exactly as a run would read it: text, token ids, which of them are trained on, what does not fit."""
    return _answer(await token_readings.preview(request, body.dataset, body.row, body.reading()))


@router.post(
    "/datasets/{dataset_id}/lengths",
    response_model=Lengths,
    responses=LATER | problems(*BODY, 404, 409),
    summary="Count a data set's tokens",
)
async def lengths(dataset_id: Id, body: Read, request: Request) -> Any:
    """Counted once for each base model and template, then known for any `max_length`."""
    found = await token_readings.lengths(request, dataset_id, body.reading())
    return asdict(found) if isinstance(found, Measured) else _answer(found)


def _answer(errand: Row) -> dict[str, Any] | Response:
    if errand.status in errands.OPEN:
        return JSONResponse(Errand.model_validate(errands.to_api(errand)).model_dump(mode="json"), 202)
    return errands.answer_of(errand)
