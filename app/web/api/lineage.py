"""/runs/{id}/lineage: where a run comes from, and what came of it."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from app import lineage
from app.runs import get_run
from app.status import RunStatus
from app.web.api.documented import problems
from app.web.api.shapes import Shape
from app.web.deps import Id, Reading


class Change(Shape):
    from_: Any = Field(alias="from")
    to: Any


class Relative(Shape):
    id: int
    name: str
    status: RunStatus
    changes: dict[str, Change] = Field(description="Settings in which the newer run differs, by dotted name.")


class Lineage(Shape):
    cloned_from: int | None
    source: Relative | None = Field(description="The run that it was cloned from; null: of none, or of a deleted one.")
    clones: list[Relative] = Field(description="The newest ones.")
    sweep: dict[str, Any] | None = Field(description="`{id, method, axes}`; null: it was launched alone.")
    siblings: list[Relative] = Field(description="All runs of its sweep; what differs is seen from this run.")


router = APIRouter(prefix="/runs/{run_id}/lineage", tags=["runs"], responses=problems(404, 422))


@router.get("", response_model=Lineage, summary="Show the lineage")
def show(run_id: Id, session: Reading) -> dict[str, Any]:
    run = get_run(session, run_id)
    return lineage.to_api(run, lineage.of_run(session, run))
