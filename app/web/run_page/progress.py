"""How far a run is: the stages that are its progress bar, and the figures under them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from app import run_state
from app.db import now
from app.models import MetricName, MetricPoint, Run
from app.status import STAGES, RunStatus
from app.web.numbers import share

TRAINING = STAGES.index("training")


@dataclass(frozen=True)
class Stages:
    """For the macro of that name: which stage is on (-1: none yet), how it stands, and how far it is."""

    at: int
    state: str
    part: float
    notes: Mapping[str, str]


@dataclass(frozen=True)
class Figures:
    """None for what is not known (yet). `held_out_epoch` is when the held-out loss was last measured."""

    done_at: datetime | None
    train_loss: float | None
    held_out_perplexity: float | None
    held_out_epoch: float | None
    tokens_per_second: float | None
    memory: float | None
    peak_memory: float | None


def stages(run: Run) -> Stages:
    if run.status == RunStatus.COMPLETED:
        return Stages(len(STAGES), "done", 1.0, {})
    if run.status == RunStatus.QUEUED or not run.attempt:
        return Stages(-1, "now", 0.0, {})
    at = STAGES.index(run.stage) if run.stage in STAGES else TRAINING if run.total_steps else 0
    state = "now" if run.status == RunStatus.RUNNING else "stop"
    return Stages(at, state, run.fraction if at == TRAINING else 0.0, _notes(run, at))


def _notes(run: Run, at: int) -> dict[str, str]:
    """What stands beside the names of the stages."""
    present = STAGES[at]
    if run.status == RunStatus.RUNNING:
        stage = run_state.stage(run)
        if stage not in STAGES:
            return {present: stage or "starting"}
        return {present: share(run.fraction)} if at == TRAINING else {}
    ended = "failed here" if run.status == RunStatus.FAILED else "cancelled here"
    return {present: ended} | dict.fromkeys(STAGES[at + 1 :], "not reached")


def figures(session: Session, run: Run) -> Figures:
    """The last points of the series that people watch."""
    ids = {name.name: name.id for name in session.exec(select(MetricName))}

    def last(name: str) -> MetricPoint | None:
        of_run = select(MetricPoint).where(MetricPoint.run_id == run.id, MetricPoint.name_id == ids.get(name))
        return session.exec(of_run.order_by(col(MetricPoint.step).desc()).limit(1)).first()

    held_out = last("eval/perplexity")
    return Figures(
        done_at=now() + timedelta(seconds=run.eta_seconds) if run.eta_seconds is not None else None,
        train_loss=_value(last("train/loss")),
        held_out_perplexity=_value(held_out),
        held_out_epoch=held_out.epoch if held_out else None,
        tokens_per_second=_value(last("train/tokens_per_second")),
        memory=_value(last("system/memory")),
        peak_memory=_largest(session, run, ids.get("system/memory")),
    )


def _value(point: MetricPoint | None) -> float | None:
    return point.value if point else None


def _largest(session: Session, run: Run, name_id: int | None) -> float | None:
    largest = select(func.max(MetricPoint.value))
    return session.exec(largest.where(MetricPoint.run_id == run.id, MetricPoint.name_id == name_id)).first()
