"""/experiments: the questions that runs answer."""

from typing import Any

from fastapi import APIRouter, Response

from app import experiments
from app.experiments import RunCounts
from app.models import Experiment
from app.web.api import shapes
from app.web.api.bodies import ExperimentChanges, NewExperiment
from app.web.api.documented import BODY, problems
from app.web.deps import Id, Reading, Writing

router = APIRouter(prefix="/experiments", tags=["experiments"], responses=problems(422))


@router.post(
    "",
    status_code=201,
    response_model=shapes.Experiment,
    responses=problems(*BODY, 409),
    summary="Create an experiment",
)
def create(body: NewExperiment, session: Writing, response: Response) -> dict[str, Any]:
    experiment = experiments.create_experiment(session, body.name, body.description)
    response.headers["Location"] = f"/api/v1/experiments/{experiment.id}"
    return experiments.to_api(experiment, RunCounts())


@router.get("", response_model=shapes.Listed[shapes.Experiment], summary="List experiments")
def list_all(session: Reading) -> dict[str, Any]:
    """All of them, newest first."""
    found = experiments.list_experiments(session)
    counts = experiments.count_runs(session, [e.id for e in found if e.id])
    items = [experiments.to_api(e, counts.get(e.id or 0, RunCounts())) for e in found]
    return {"items": items, "next_cursor": None, "total": len(items)}


@router.get("/{experiment_id}", response_model=shapes.Experiment, responses=problems(404), summary="Show an experiment")
def show(experiment_id: Id, session: Reading) -> dict[str, Any]:
    return _answer(session, experiments.get_experiment(session, experiment_id))


@router.patch(
    "/{experiment_id}",
    response_model=shapes.Experiment,
    responses=problems(*BODY, 404, 409),
    summary="Change an experiment",
)
def patch(experiment_id: Id, body: ExperimentChanges, session: Writing) -> dict[str, Any]:
    changes = body.model_dump(exclude_unset=True)
    return _answer(session, experiments.patch_experiment(session, experiment_id, changes))


@router.delete("/{experiment_id}", status_code=204, responses=problems(404, 409), summary="Delete an experiment")
def delete(experiment_id: Id, session: Writing) -> None:
    """Only an experiment without runs."""
    experiments.delete_experiment(session, experiment_id)


def _answer(session: Reading, experiment: Experiment) -> dict[str, Any]:
    counts = experiments.count_runs(session, [experiment.id or 0])
    return experiments.to_api(experiment, counts.get(experiment.id or 0, RunCounts()))
