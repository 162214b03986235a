"""What the documentation says of errors, and the parts of a query that many calls share."""

from typing import Annotated, Any

from fastapi import Query

from app.listing import DEFAULT_LIMIT, MAX_LIMIT
from app.web.api.shapes import Problem

REASONS = {
    400: "The body cannot be read.",
    401: "The server asks for its access token.",
    404: "Unknown.",
    409: "Not possible in this state.",
    413: "Too large.",
    415: "Wrong media type.",
    422: "A value is not allowed; `errors` names the fields.",
    503: "Nothing was stored, try again.",
}

# Of every call: a token may be missing, the database busy. Of every call with a body: it may be no such body.
ANY = (401, 503)
BODY = (400, 413, 415, 422)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a call, as its documentation lists them."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    return {status: {"description": REASONS[status], "content": content} for status in statuses}


Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description=f"At most this many; {DEFAULT_LIMIT} unless told.")]
Cursor = Annotated[str | None, Query(max_length=1000, description="`next_cursor` of the page before.")]
Filter = Annotated[
    str | None,
    Query(
        description="Words in name, notes, tags or experiment, and comparisons: "
        '`lora.r in (8, 16) and (eval/perplexity < 20 or tags = "keep")`.',
    ),
]
