"""/compare/rows: the held-out rows as the base and each run answered them, side by side."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from app.compare import row_query, rows, word_diff
from app.compare.chosen import parse_runs
from app.compare.row_table import RowTable
from app.compare.rows import Answer, Row
from app.compare.sides import Side
from app.listing import DEFAULT_LIMIT, parse_offset
from app.web.api.documented import Cursor, Limit, problems
from app.web.api.shapes import Listed, Shape
from app.web.compare_rows.query import RowsAddress
from app.web.deps import Reading, SettingsDep

router = APIRouter(prefix="/compare/rows", tags=["compare"], responses=problems(404, 422))


class RowSide(Shape):
    name: str = Field(description="A run's id, `base`, or `base-12` where the runs' base models differ.")
    run: int
    run_name: str
    model: str = Field(description="`base` or `finetuned`.")
    before: str | None = Field(description="The side that it is set against.")
    rows: int = Field(description="How many of the rows it has answered.")
    tally: dict[str, int] = Field(description="How many of its answers have each mark.")


class RowLeftOut(Shape):
    run: int
    reason: str


class RowPiece(Shape):
    text: str
    kind: str = Field(description="`plain`, `shared` with the reference, `added` to or `removed` from the baseline's.")


class RowAnswer(Shape):
    side: str
    text: str
    words: int
    repetition: float = Field(description="The share of four-word sequences that stood in the answer before.")
    scores: dict[str, float | None]
    gains: dict[str, float | None] = Field(description="Above 0 is better; of perplexity in nats a token.")
    marks: list[str]
    pieces: list[RowPiece] = Field(description="The answer in stretches, as `diff` says.")


class ComparedRow(Shape):
    row: int
    question: str | None = Field(description="As the data set has it; null: the data set is gone.")
    prompt: str = Field(description="The exact text that the model was given.")
    reference: str
    answers: list[RowAnswer]


class ComparedRows(Listed[ComparedRow]):
    sides: list[RowSide]
    left_out: list[RowLeftOut]


@router.get("", response_model=ComparedRows, summary="Compare answers row by row")
def show(
    session: Reading,
    settings: SettingsDep,
    runs: Annotated[list[str], Query(description="Ids, repeated or with commas; 1 to 100.")],
    baseline: Annotated[
        str, Query(max_length=40, description="A run's id, or `base`: each run against its own base model.")
    ] = "",
    score: Annotated[str, Query(max_length=40, description="`rouge_l` or `perplexity`.")] = "rouge_l",
    sort: Annotated[str, Query(max_length=40, description=", ".join(row_query.SORTS))] = "changed",
    only: Annotated[str, Query(max_length=200, description="Marks that one answer must all have, with commas.")] = "",
    of: Annotated[str, Query(max_length=40, description="The side that `only` and `sort` are about.")] = "",
    find: Annotated[str, Query(max_length=200, description="Words in prompt, reference or answers.")] = "",
    diff: Annotated[str, Query(max_length=40, description="`reference` or `baseline`.")] = "reference",
    row: Annotated[int | None, Query(ge=0, description="That row alone.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Rows are those of the baseline; a run that was asked other rows has no answers to them."""
    typed = {"baseline": baseline, "score": score, "sort": sort, "only": only, "of": of, "find": find, "diff": diff}
    address = RowsAddress.read(tuple(parse_runs(runs)), typed)
    table = address.find_rows(session, settings)
    found = row_query.find(table, address.query) if row is None else row_query.alone(table, row)
    offset = parse_offset(cursor)
    return {
        "items": [_row(item, address.diff) for item in rows.read(settings, table, found[offset : offset + limit])],
        "next_cursor": str(offset + limit) if offset + limit < len(found) else None,
        "total": len(found),
        "sides": [_side(table, side) for side in table.sides.every],
        "left_out": [{"run": out.run.id, "reason": out.reason} for out in table.sides.left_out],
    }


def _side(table: RowTable, side: Side) -> dict[str, Any]:
    return {
        "name": side.name,
        "run": side.run.id,
        "run_name": side.run.name,
        "model": side.model,
        "before": side.before.name if side.before else None,
        "rows": table.answered(side),
        "tally": table.tally(side),
    }


def _row(row: Row, diff: str) -> dict[str, Any]:
    answers = [_answer(answer, row.reference, diff) for answer in row.answers if answer]
    return {**vars(row), "row": row.number, "answers": answers}


def _answer(answer: Answer, reference: str, diff: str) -> dict[str, Any]:
    pieces = word_diff.pieces(answer.text, reference, answer.before, diff)
    return {**vars(answer), "side": answer.side.name, "pieces": [piece._asdict() for piece in pieces]}
