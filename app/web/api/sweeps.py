"""/sweeps: several runs of one configuration in one request, stored together or not at all."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from sqlmodel import Session

from app import idempotency, runs, sweep
from app.launch import forecast
from app.runs import NewRun
from app.study import equivalents
from app.sweep import Variant
from app.web.api import shapes
from app.web.api.bodies import Sweep
from app.web.api.documented import BODY, problems
from app.web.api.runs import IdempotencyKey, announced
from app.web.deps import SettingsDep, Wake, Writing

router = APIRouter(prefix="/sweeps", tags=["runs"], responses=problems(*BODY, 409))

DryRun = Annotated[bool, Query(description="Answer what would be launched, with status 200, and store nothing.")]
EXPANSION: dict[int | str, dict[str, Any]] = {200: {"model": shapes.Expansion, "description": "Of a dry run."}}


@router.post("", status_code=201, response_model=shapes.Launched, responses=EXPANSION, summary="Launch a sweep")
def launch(
    body: Sweep,
    session: Writing,
    settings: SettingsDep,
    wake: Wake,
    dry_run: DryRun = False,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Expand axes, or a list of runs, into runs and queue them. Errors are named as they were sent: `axes.lora.r`."""
    asked = idempotency.request(idempotency_key, "/sweeps", body.model_dump(mode="json")) if idempotency_key else None
    if dry_run:
        return JSONResponse(_expansion(session, settings, body.variants()).model_dump(mode="json"))
    known = idempotency.replay(session, asked) if asked else None
    if known is None:
        session.rollback()  # the checks read files: not with the write lock held
    made = known["runs"] if known else _create(session, settings, body, asked)
    up = all(wake(run["id"]) for run in made)  # where one finds nobody, so would the others
    return {"runs": [announced(run, up=up) for run in made]}


def _create(
    session: Session, settings: SettingsDep, body: Sweep, asked: idempotency.Request | None
) -> list[dict[str, Any]]:
    variants = body.variants()
    made = runs.create_runs(
        session,
        settings,
        experiment=body.experiment,
        new=[NewRun.of(variant) for variant in variants],
        asked=asked,
        sweep=sweep.record(variants, "list" if body.runs is not None else body.method),
    )
    return [runs.to_api(*runs.get_with_experiment(session, run.id or 0)) for run in made]


def _expansion(session: Session, settings: SettingsDep, variants: list[Variant]) -> shapes.Expansion:
    warnings = runs.check_new(session, settings, [NewRun.of(variant) for variant in variants])
    forecasts = forecast.forecast(session, settings, [variant.config for variant in variants])
    planned = [
        shapes.PlannedRun(
            name=variant.name,
            notes=variant.notes,
            changes=variant.changes,
            effective_batch_size=variant.config.training.effective_batch_size,
            estimated_seconds=said.seconds,
            estimated_memory_bytes=said.memory.bytes if said.memory else None,
            warnings=warned,
        )
        for variant, said, warned in zip(variants, forecasts, warnings, strict=True)
    ]
    return shapes.Expansion(
        runs=planned, notes=equivalents.notes(variants), estimated_seconds=forecast.total_seconds(forecasts)
    )
