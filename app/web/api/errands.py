"""/errands: what a worker does beside training, while it is at it and afterwards."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from app import errands
from app.status import ErrandStatus
from app.web.api.documented import problems
from app.web.api.shapes import RunError, Shape
from app.web.deps import Id, Reading, Writing

router = APIRouter(prefix="/errands", tags=["errands"], responses=problems(404, 422))


class Errand(Shape):
    id: int
    kind: str
    run: int | None = Field(description="The run that it is about, if there is one.")
    request: dict[str, Any]
    status: ErrandStatus
    waits_for: str | None = Field(description="Why it has not begun, in words.")
    answer: dict[str, Any] | None = Field(description="What is known; it grows while the errand runs.")
    error: RunError | None
    created_at: datetime
    finished_at: datetime | None


@router.get("/{errand_id}", response_model=Errand)
def show(errand_id: Id, session: Reading) -> dict[str, Any]:
    return errands.to_api(errands.get(session, errand_id))


@router.delete("/{errand_id}", response_model=Errand)
def cancel(errand_id: Id, session: Writing) -> dict[str, Any]:
    """Call it off. One that is over stays as it is."""
    return errands.to_api(errands.cancel(session, errand_id))
