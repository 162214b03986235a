"""/compare: runs side by side."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.compare import comparison
from app.compare.chosen import MOST_RUNS, choose, parse_runs
from app.db import MAX_ID
from app.web.api.compare_shapes import Comparison
from app.web.api.documented import problems
from app.web.deps import Reading, SettingsDep

router = APIRouter(prefix="/compare", tags=["compare"], responses=problems(422))

Runs = Annotated[list[str], Query(description=f"Ids with commas, or one at a time; 2 to {MOST_RUNS} runs.")]
Baseline = Annotated[
    int | None,
    Query(ge=1, le=MAX_ID, description="The run that others are set against; its experiment's baseline unless told."),
]


@router.get("", response_model=Comparison, summary="Compare runs")
def show(session: Reading, settings: SettingsDep, runs: Runs, baseline: Baseline = None) -> dict[str, Any]:
    """Settings, results with how sure their differences are, and costs, each by run id."""
    chosen = choose(session, parse_runs(runs), baseline)
    return comparison.to_api(comparison.build(session, settings, chosen))
