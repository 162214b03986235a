"""Runs: one configuration, one adapter. Made here, asked to stop or to start again, described, deleted.

Every change of status is one UPDATE on the old status: zero rows changed means that somebody else was faster.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import CursorResult, null, update
from sqlmodel import Session, col, delete, func, select

from app import description, folders, idempotency, run_state
from app.db import iso, now
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.experiments import find_or_add
from app.launch import forecast, launch_checks
from app.launch.forecast import Forecast
from app.models import Dataset, Experiment, Run
from app.run_config import RunConfig
from app.settings import Settings
from app.status import ENDED, RunStatus
from app.sweep import Variant

# Between the end of a run in its row and the end of whoever wrote that.
LEAVING_SECONDS = 1.0

NO_PAUSE = {"not_before_boot": None, "not_before": None}
# What a broker that is away means for a run that is stored.
QUEUE_UNREACHABLE = "queue unreachable: starts when it is back"


@dataclass(frozen=True)
class NewRun:
    """A run to be. `calls` tells how the caller wrote a setting, for errors: `axes.lora.r` for `lora.r`."""

    config: RunConfig
    name: str | None = None
    notes: str = ""
    tags: Sequence[str] = ()
    calls: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, variant: Variant, tags: Sequence[str] = ()) -> Self:
        """One of a sweep; names made of many differences are cut to fit."""
        return cls(variant.config, variant.name[: description.NAME_LENGTH], variant.notes, tags, variant.calls)

    def described(self) -> dict[str, Any]:
        texts = {"name": self.name or "", "notes": self.notes, "tags": self.tags}
        return description.cleaned(texts, name_needed=False)


def create_runs(
    session: Session,
    settings: Settings,
    *,
    experiment: int | str,
    new: Sequence[NewRun],
    asked: idempotency.Request | None = None,
    cloned_from: int | None = None,
    sweep: Mapping[str, Any] | None = None,
) -> list[Run]:
    """Check all, then store all as queued in one transaction, or none; the caller wakes the worker afterwards.

    Of two concurrent requests with the same Idempotency-Key, the later one gets the earlier one's runs. `sweep` is what
    app.sweep.record says of runs that are made together: their ids follow each other.
    """
    described = [run.described() for run in new]
    warnings = check_new(session, settings, new)
    forecasts = forecast.forecast(session, settings, [run.config for run in new])
    if asked and (known := idempotency.replay(session, asked)):
        return [get_run(session, answer["id"]) for answer in known["runs"]]
    for dataset_id in {run.config.data.dataset for run in new}:
        if session.get(Dataset, dataset_id) is None:
            raise Invalid.one("data.dataset", "This data set was deleted a moment ago")
    if cloned_from is not None and session.get(Run, cloned_from) is None:
        raise Invalid.one("cloned_from", f"There is no run {cloned_from}")
    found = find_or_add(session, experiment)
    runs = [_queued(found, *parts) for parts in zip(new, described, warnings, forecasts, strict=True)]
    for run in runs:
        run.cloned_from = cloned_from
    _add(session, runs, sweep)
    if asked:
        idempotency.remember(session, asked, {"runs": [to_api(run, found) for run in runs]})
    session.commit()
    return runs


def check_new(session: Session, settings: Settings, new: Sequence[NewRun]) -> list[list[str]]:
    """The warnings that belong beside each run; raises Invalid with all that cannot work, each error once."""
    warnings: list[list[str]] = []
    errors: list[FieldError] = []
    for run in new:
        try:
            warnings.append(launch_checks.check(session, settings, run.config))
        except Invalid as error:
            errors += [FieldError(run.calls.get(e.field, e.field), e.message) for e in error.errors]
    if errors:
        raise Invalid(list(dict.fromkeys(errors)))
    return warnings


def _queued(
    experiment: Experiment, new: NewRun, described: Mapping[str, Any], warnings: list[str], said: Forecast
) -> Run:
    assert experiment.id is not None
    return Run(
        **described,
        experiment_id=experiment.id,
        dataset_id=new.config.data.dataset,
        config=new.config.model_dump(mode="json"),
        warnings=warnings,
        forecast=forecast.to_api(said),
    )


def _add(session: Session, runs: Sequence[Run], sweep: Mapping[str, Any] | None) -> None:
    """To the end of the queue, in this order; what has no name is called by its number."""
    for position, run in enumerate(runs):
        run.queue_position = end_of_queue(session) if position == 0 else runs[0].queue_position + position
        session.add(run)
        session.flush()
        run.name = run.name or f"Run {run.id}"
        run.sweep = {"id": runs[0].id, **sweep} if sweep else None


def get_run(session: Session, run_id: int) -> Run:
    run = session.get(Run, run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    return run


def get_with_experiment(session: Session, run_id: int) -> tuple[Run, Experiment]:
    run = get_run(session, run_id)
    experiment = session.get(Experiment, run.experiment_id)
    assert experiment is not None
    return run, experiment


def patch_run(session: Session, run_id: int, changes: Mapping[str, Any]) -> Run:
    """Set any of `name`, `notes` and `tags`."""
    run = get_run(session, run_id)
    for name, value in description.cleaned(changes).items():
        setattr(run, name, value)
    session.commit()
    return run


def cancel_run(session: Session, run_id: int) -> Run:
    """A queued run is cancelled at once; a running one is asked to stop. Conflict for one that has ended."""
    queued = {"status": RunStatus.CANCELLED, "finished_at": now(), "cancel_requested": False, **NO_PAUSE}
    if not _move(session, run_id, {RunStatus.QUEUED}, queued) and not _move(
        session, run_id, {RunStatus.RUNNING}, {"cancel_requested": True}
    ):
        raise Conflict(f"Run {run_id} has ended: it is {get_run(session, run_id).status}.")
    session.commit()
    return get_run(session, run_id)


def retry_run(session: Session, run_id: int, *, fresh: bool = False) -> Run:
    """Queue a failed or cancelled run again: from its last good checkpoint, or `fresh` from zero.

    It is due at once, and what its attempts ended of so far counts no more.
    """
    again = {
        "status": RunStatus.QUEUED,
        "queue_position": end_of_queue(session),
        "fresh_start": fresh,
        "cancel_requested": False,
        "stage": None,
        "started_at": None,
        "finished_at": None,
        "error": null(),
        "forgiven": Run.attempt,
        **NO_PAUSE,
    }
    if not _move(session, run_id, {RunStatus.FAILED, RunStatus.CANCELLED}, again):
        status = get_run(session, run_id).status
        raise Conflict(f"Run {run_id} is {status}: only a failed or cancelled run can be tried again.")
    session.commit()
    return get_run(session, run_id)


def delete_runs(session: Session, settings: Settings, ids: Sequence[int]) -> None:
    """All of them or none: Conflict while one has not ended. Rows go in one transaction, then the folders."""
    _refuse_active(session, ids)
    session.rollback()  # not with the write lock held
    deadline = time.monotonic() + LEAVING_SECONDS
    if busy := [run_id for run_id in ids if not folders.is_left(settings.run_dir(run_id), deadline)]:
        names = ", ".join(f"run {run_id}" for run_id in busy[:5])
        raise Conflict(f"Still stopping: {names}. Try again in a moment; nothing was deleted.")
    _refuse_active(session, ids)
    session.exec(delete(Run).where(col(Run.id).in_(ids)))
    session.commit()
    for run_id in ids:
        folders.remove(settings.run_dir(run_id))


def _refuse_active(session: Session, ids: Sequence[int]) -> None:
    if active := [run for run in _all(session, ids) if run.status not in ENDED]:
        names = ", ".join(f"{run.name} ({run.status})" for run in active[:5])
        raise Conflict(f"Not ended yet: {names}. Cancel first; nothing was deleted.")


def tag_runs(session: Session, ids: Sequence[int], *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
    """Change the tags of many runs at once."""
    added, gone = description.tags(add), set(description.tags(remove))
    for run in _all(session, ids):
        run.tags = description.tags([*(tag for tag in run.tags if tag not in gone), *added])
    session.commit()


def end_of_queue(session: Session) -> float:
    """The place behind everything that waits."""
    last = session.exec(select(func.max(Run.queue_position)).where(Run.status == RunStatus.QUEUED)).one()
    return (last or 0.0) + 1


def to_api(run: Run, experiment: Experiment) -> dict[str, Any]:
    """The run as every answer shows it."""
    return {
        "id": run.id,
        "name": run.name,
        "origin": run.origin,
        "import_id": run.import_id,
        "experiment": {"id": experiment.id, "name": experiment.name},
        "status": run.status,
        "stage": run_state.stage(run),
        "tries_again_in": run_state.tries_again_in(run),
        "cancel_requested": run.cancel_requested,
        "attempt": run.attempt,
        "warnings": run.warnings,
        "progress": progress(run),
        "config": run.config,
        "notes": run.notes,
        "tags": run.tags,
        "created_at": iso(run.created_at),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "error": run.error,
        "results": run.results,
        "resources": run.resources,
        "environment": run.environment,
        "cloned_from": run.cloned_from,
        "sweep": run.sweep,
        "forecast": run.forecast,
    }


def progress(run: Run) -> dict[str, Any]:
    return {
        "step": run.step,
        "total_steps": run.total_steps,
        "epoch": run.epoch,
        "fraction": run.fraction,
        "eta_seconds": run.eta_seconds,
    }


def _move(session: Session, run_id: int, old: set[RunStatus], values: Mapping[str, Any]) -> bool:
    changed = session.execute(
        update(Run).where(col(Run.id) == run_id, col(Run.status).in_(old)).values(**values),
        execution_options={"synchronize_session": False},
    )
    assert isinstance(changed, CursorResult)
    return changed.rowcount == 1


def _all(session: Session, ids: Sequence[int]) -> list[Run]:
    runs = list(session.exec(select(Run).where(col(Run.id).in_(ids))))
    if missing := set(ids) - {run.id for run in runs}:
        raise NotFound(f"There is no run {', '.join(map(str, sorted(missing)))}.")
    return runs
