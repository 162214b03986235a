"""A study from the database: the finished runs of an experiment, their losses, and the intervals between them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from app import experiments
from app.metrics import COMPARED
from app.models import Dataset, Experiment, MetricName, MetricPoint, Run
from app.run_config import flatten
from app.settings import Settings
from app.status import ENDED, RunStatus
from app.study import intervals, setup
from app.study.overfitting import Losses
from app.study.report import Study
from app.study.runs import StudyRun

Json = dict[str, Any]


def load(session: Session, settings: Settings, experiment_id: int, *, best_by: str = "perplexity") -> Study:
    """Raises NotFound for an experiment that is not there."""
    experiment = experiments.get_experiment(session, experiment_id)
    rows = session.exec(select(Run).where(col(Run.experiment_id) == experiment_id).order_by(col(Run.id))).all()
    finished = [run for run in rows if run.status == RunStatus.COMPLETED]
    losses = run_losses(session, [run.id for run in finished if run.id is not None])
    counts = experiments.count_runs(session, [experiment_id])
    baseline = experiments.baseline_run(experiment, counts[experiment_id]) if rows else None
    return Study(
        experiment=_experiment(experiment),
        setup=setup.describe(session, finished),
        runs=[study_run(run, losses.get(run.id or 0, Losses())) for run in finished],
        baseline=baseline,
        interval=partial(intervals.relative, settings),
        p_value=partial(intervals.p_value, settings),
        unfinished=sum(run.status not in ENDED for run in rows),
        failed=sum(run.status in (RunStatus.FAILED, RunStatus.CANCELLED) for run in rows),
        best_by=best_by,
        facts=_facts(session, finished),
    )


def _experiment(experiment: Experiment) -> Json:
    return {"id": experiment.id, "name": experiment.name, "description": experiment.description}


def study_run(run: Run, losses: Losses) -> StudyRun:
    """A finished run as a study sees it; what was not measured, or not stated by an import, is missing, never 0."""
    results, resources = run.results or {}, run.resources or {}
    assert run.id is not None
    return StudyRun(
        id=run.id,
        name=run.name,
        settings=flatten(run.config),
        metrics=_known(results.get("finetuned")),
        base=_known(results.get("base")),
        intervals={name: tuple(bounds) for name, bounds in (results.get("intervals") or {}).items() if bounds},
        resources=resources,
        losses=losses,
        notes=run.notes,
        import_id=run.import_id,
        fingerprint=run.fingerprint,
        perplexity_key=run.perplexity_key,
    )


def _known(values: Json | None) -> dict[str, float]:
    return {m.short: values[m.short] for m in COMPARED if values and values.get(m.short) is not None}


def _facts(session: Session, runs: Sequence[Run]) -> list[str]:
    """Caveats that the data set and the runs themselves carry, each once."""
    ids = {run.dataset_id for run in runs if run.dataset_id}
    found = session.exec(select(Dataset).where(col(Dataset.id).in_(ids))).all()
    said = [f"{dataset.name}: {warning}" for dataset in found for warning in dataset.warnings]
    return list(dict.fromkeys([*said, *(w for run in runs for w in run.warnings if "queue unreachable" not in w)]))


def run_losses(session: Session, ids: Sequence[int]) -> dict[int, Losses]:
    """Held-out losses point by point, and the mean training loss of the first and the last epoch."""
    held_out: dict[int, list[tuple[float, float]]] = {}
    points = (
        select(MetricPoint.run_id, MetricPoint.epoch, MetricPoint.value)
        .join(MetricName, col(MetricName.id) == col(MetricPoint.name_id))
        .where(col(MetricPoint.run_id).in_(ids), MetricName.name == "eval/loss", col(MetricPoint.value).is_not(None))
        .order_by(col(MetricPoint.run_id), col(MetricPoint.step))
    )
    for run_id, epoch, value in session.exec(points):
        assert value is not None
        held_out.setdefault(run_id, []).append((epoch, value))
    first = _training(session, ids, col(MetricPoint.epoch) <= 1)
    last = _training(session, ids, col(MetricPoint.epoch) > col(Run.epoch) - 1)
    return {i: Losses(tuple(held_out.get(i, ())), first.get(i), last.get(i)) for i in ids}


def _training(session: Session, ids: Sequence[int], when: ColumnElement[bool]) -> dict[int, float]:
    """The mean training loss of some steps."""
    statement = (
        select(MetricPoint.run_id, func.avg(MetricPoint.value))
        .join(MetricName, col(MetricName.id) == col(MetricPoint.name_id))
        .join(Run, col(Run.id) == col(MetricPoint.run_id))
        .where(col(MetricPoint.run_id).in_(ids), MetricName.name == "train/loss", when)
        .group_by(col(MetricPoint.run_id))
    )
    return {run_id: mean for run_id, mean in session.exec(statement) if mean is not None}
