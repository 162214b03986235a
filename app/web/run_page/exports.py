"""What can be done with a finished run's adapter: merged, copied to a hub, and how far either is."""

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from app import errands, exports
from app.exports import MERGE, PUSH, Merged
from app.metrics import COMPARED, Metric
from app.models import Errand, Run
from app.settings import Settings
from app.status import RunStatus
from app.tryouts import has_adapter

STAGES = {
    "merging": "Merging",
    "measuring": "Measuring the merged model on the held-out rows",
    "saving": "Saving",
    "copying": "Copying",
}


@dataclass(frozen=True)
class Job:
    """The last errand of a kind, in words."""

    errand: Errand
    is_open: bool
    stage: str


@dataclass(frozen=True)
class Shift:
    """What merging changed of a metric; `interval` where its spread is known."""

    metric: Metric
    value: float | None
    change: float | None
    interval: tuple[float, float] | None


def build(session: Session, settings: Settings, run: Run) -> dict[str, Any]:
    """`exports` is None for a run that has no adapter to do anything with."""
    if run.status != RunStatus.COMPLETED or not has_adapter(settings, run) or run.id is None:
        return {"exports": None}
    merged = exports.find_merged(settings, run.id)
    found = {
        "merged": merged,
        "shifts": _shifts(merged) if merged else [],
        "merge": _job(exports.latest(session, run.id, MERGE)),
        "push": _job(exports.latest(session, run.id, PUSH)),
    }
    return {"exports": found}


def _job(errand: Errand | None) -> Job | None:
    if errand is None:
        return None
    stage = STAGES.get((errand.answer or {}).get("stage", ""), "Starting")
    return Job(errand, errand.status in errands.OPEN, stage)


def _shifts(merged: Merged) -> list[Shift]:
    return [_shift(merged, metric) for metric in COMPARED]


def _shift(merged: Merged, metric: Metric) -> Shift:
    change = merged.rescored["changes"].get(metric.short) or {}
    interval = change.get("interval")
    value = merged.rescored["merged"].get(metric.short)
    return Shift(metric, value, change.get("absolute"), tuple(interval) if interval else None)
