"""How far a run is: the stages that are its progress bar, and the figures under them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from app.db import now
from app.models import MetricName, MetricPoint, Run, RunValue
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
    if run.status == RunStatus.QUEUED:
        return Stages(-1, "now", 0.0, {})
    at = STAGES.index(run.stage) if run.stage in STAGES else 0
    state = "now" if run.status == RunStatus.RUNNING else "stop"
    return Stages(at, state, run.fraction if at == TRAINING else 0.0, _notes(run, at))


def _notes(run: Run, at: int) -> dict[str, str]:
    """What stands beside the names of the stages."""
    present = STAGES[at]
    if run.status == RunStatus.RUNNING:
        if run.stage not in STAGES:
            return {present: run.stage or "starting"}
        return {present: share(run.fraction)} if at == TRAINING else {}
    ended = "failed here" if run.status == RunStatus.FAILED else "cancelled here"
    return {present: ended} | dict.fromkeys(STAGES[at + 1 :], "not reached")


def figures(session: Session, run: Run) -> Figures:
    last = {row.name: row.last for row in session.exec(select(RunValue).where(RunValue.run_id == run.id))}
    loss = last.get("eval/loss")
    return Figures(
        done_at=now() + timedelta(seconds=run.eta_seconds) if run.eta_seconds is not None else None,
        train_loss=last.get("train/loss"),
        held_out_perplexity=math.exp(loss) if loss is not None and loss < 50 else None,
        held_out_epoch=_last_epoch(session, run, "eval/loss"),
        tokens_per_second=last.get("train/tokens_per_second"),
        memory=last.get("system/memory"),
        peak_memory=_largest(session, run, "system/memory"),
    )


def _last_epoch(session: Session, run: Run, name: str) -> float | None:
    of_run = select(MetricPoint.epoch).join(MetricName).where(MetricPoint.run_id == run.id, MetricName.name == name)
    return session.exec(of_run.order_by(col(MetricPoint.step).desc()).limit(1)).first()


def _largest(session: Session, run: Run, name: str) -> float | None:
    largest = select(func.max(MetricPoint.value)).join(MetricName)
    return session.exec(largest.where(MetricPoint.run_id == run.id, MetricName.name == name)).first()
