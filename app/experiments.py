"""Experiments: a question that several runs answer. The baseline is the first run unless another one is set."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, func, select

from app.db import MAX_ID, iso
from app.errors import Conflict, Invalid, NotFound
from app.models import Experiment, Run
from app.status import RunStatus

NAME_LENGTH = 200
DESCRIPTION_LENGTH = 10_000


@dataclass(frozen=True)
class RunCounts:
    """How many runs an experiment has, by status, and which one came first."""

    first_run: int | None = None
    by_status: Mapping[RunStatus, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.by_status.values())


def create_experiment(session: Session, name: str, description: str = "") -> Experiment:
    experiment = Experiment(name=_usable_name(session, name), description=description.strip())
    session.add(experiment)
    session.commit()
    return experiment


def get_experiment(session: Session, experiment_id: int) -> Experiment:
    experiment = session.get(Experiment, experiment_id)
    if experiment is None:
        raise NotFound(f"There is no experiment {experiment_id}.")
    return experiment


def find_or_add(session: Session, which: int | str) -> Experiment:
    """The experiment of an id, or of a name (made if it is new); without a commit, and Invalid where there is none."""
    if isinstance(which, int):
        found = session.get(Experiment, which) if which <= MAX_ID else None
        if found is None:
            raise Invalid.one("experiment", f"There is no experiment {which}")
        return found
    name = _clean_name(which, "experiment")
    found = session.exec(select(Experiment).where(Experiment.name == name)).first()
    if found is None:
        found = Experiment(name=name)
        session.add(found)
        session.flush()
    return found


def list_experiments(session: Session) -> list[Experiment]:
    """All of them, newest first: they are made by hand and stay few."""
    return list(session.exec(select(Experiment).order_by(col(Experiment.id).desc())))


def patch_experiment(session: Session, experiment_id: int, changes: Mapping[str, Any]) -> Experiment:
    """Set any of `name`, `description` and `baseline_run` (null: the first run again)."""
    experiment = get_experiment(session, experiment_id)
    if "name" in changes and changes["name"].strip() != experiment.name:
        experiment.name = _usable_name(session, changes["name"])
    if "description" in changes:
        experiment.description = changes["description"].strip()
    if "baseline_run" in changes:
        experiment.baseline_run_id = _own_run(session, experiment_id, changes["baseline_run"])
    session.commit()
    return experiment


def delete_experiment(session: Session, experiment_id: int) -> None:
    """Only an empty one goes: nobody should lose runs by a click on something else."""
    experiment = get_experiment(session, experiment_id)
    runs = session.exec(select(func.count()).where(col(Run.experiment_id) == experiment_id)).one()
    if runs:
        raise Conflict(f"The experiment has {runs} {'run' if runs == 1 else 'runs'}: delete or keep them first.")
    session.delete(experiment)
    session.commit()


def count_runs(session: Session, ids: Iterable[int]) -> dict[int, RunCounts]:
    """Of each experiment that has runs."""
    rows = session.exec(
        select(Run.experiment_id, Run.status, func.count(), func.min(Run.id))
        .where(col(Run.experiment_id).in_(ids))
        .group_by(col(Run.experiment_id), col(Run.status))
    ).all()
    first: dict[int, int] = {}
    counts: dict[int, Counter[RunStatus]] = {}
    for experiment_id, status, number, oldest in rows:
        counts.setdefault(experiment_id, Counter())[RunStatus(status)] = number
        assert oldest is not None
        first[experiment_id] = min(oldest, first.get(experiment_id, oldest))
    return {i: RunCounts(first[i], counter) for i, counter in counts.items()}


def baseline_run(experiment: Experiment, counts: RunCounts) -> int | None:
    return experiment.baseline_run_id or counts.first_run


def baselines(session: Session, experiments: Iterable[Experiment]) -> dict[int, Run]:
    """By experiment, the run that its others are compared with; those without any run are missing."""
    listed = {experiment.id: experiment for experiment in experiments if experiment.id is not None}
    unset = [i for i, experiment in listed.items() if experiment.baseline_run_id is None]
    first = select(Run.experiment_id, func.min(Run.id)).where(col(Run.experiment_id).in_(unset))
    oldest = dict(session.exec(first.group_by(col(Run.experiment_id))).all()) if unset else {}
    wanted = oldest | {i: e.baseline_run_id for i, e in listed.items() if e.baseline_run_id is not None}
    found = {run.id: run for run in session.exec(select(Run).where(col(Run.id).in_(wanted.values())))}
    return {i: found[run_id] for i, run_id in wanted.items() if run_id in found}


def to_api(experiment: Experiment, counts: RunCounts) -> dict[str, Any]:
    return {
        "id": experiment.id,
        "name": experiment.name,
        "description": experiment.description,
        "baseline_run": baseline_run(experiment, counts),
        "runs": counts.total,
        "statuses": {status.value: counts.by_status.get(status, 0) for status in RunStatus},
        "created_at": iso(experiment.created_at),
    }


def _clean_name(name: str, field: str = "name") -> str:
    cleaned = " ".join(name.split())
    if not cleaned:
        raise Invalid.one(field, "An experiment needs a name")
    if len(cleaned) > NAME_LENGTH:
        raise Invalid.one(field, f"At most {NAME_LENGTH} characters")
    return cleaned


def _usable_name(session: Session, name: str) -> str:
    cleaned = _clean_name(name)
    if session.exec(select(Experiment.id).where(Experiment.name == cleaned)).first() is not None:
        raise Conflict(f"There is an experiment of that name already: {cleaned}")
    return cleaned


def _own_run(session: Session, experiment_id: int, run_id: int | None) -> int | None:
    if run_id is not None:
        run = session.get(Run, run_id)
        if run is None or run.experiment_id != experiment_id:
            raise Invalid.one("baseline_run", f"Run {run_id} is not a run of this experiment")
    return run_id
