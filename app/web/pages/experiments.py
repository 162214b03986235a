"""The experiments: the list, and one with its runs, its baseline and its name."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlmodel import Session, col, select

from app import experiments, ids
from app.board import leaderboard
from app.board.leaderboard import RankedRow
from app.board.run_filter import RunFilter
from app.errors import Conflict, FieldError, Invalid, TuneboardError
from app.experiments import RunCounts
from app.models import Experiment, Run
from app.runs import QUEUE_UNREACHABLE
from app.settings import Settings
from app.web.board_page.query import BoardQuery
from app.web.board_page.view import board
from app.web.deps import Id, Reading, SettingsDep, Writing
from app.web.security import PageForm
from app.web.templating import page

ROWS = 200

router = APIRouter(prefix="/experiments", include_in_schema=False)


@dataclass(frozen=True)
class Line:
    """One experiment of the list."""

    experiment: Experiment
    counts: RunCounts
    baseline: Run | None
    best: RankedRow | None


@router.get("")
def index(request: Request, session: Reading) -> HTMLResponse:
    return _index(request, session)


@router.post("")
def create(request: Request, session: Writing, form: PageForm) -> Response:
    typed = {"name": str(form.get("name", "")), "description": str(form.get("description", ""))}
    try:
        experiment = experiments.create_experiment(session, typed["name"], typed["description"])
    except (Invalid, Conflict) as refusal:
        return _index(request, session, typed=typed, refusal=refusal)
    return _to(experiment.id)


@router.get("/{experiment_id}")
def show(request: Request, experiment_id: Id, session: Reading, settings: SettingsDep, queue: str = "") -> HTMLResponse:
    said = [QUEUE_UNREACHABLE] if queue == "unreachable" else []
    return _show(request, session, settings, experiments.get_experiment(session, experiment_id), warnings=said)


@router.post("/{experiment_id}")
def change(request: Request, experiment_id: Id, session: Writing, settings: SettingsDep, form: PageForm) -> Response:
    """Name, description and baseline, as one form."""
    typed = {name: str(form.get(name, "")) for name in ("name", "description", "baseline_run")}
    changes = typed | {"baseline_run": ids.parse(typed["baseline_run"])}
    try:
        experiments.patch_experiment(session, experiment_id, changes)
    except (Invalid, Conflict) as refusal:
        session.rollback()
        experiment = experiments.get_experiment(session, experiment_id)
        return _show(request, session, settings, experiment, typed=typed, refusal=refusal)
    return _to(experiment_id)


@router.post("/{experiment_id}/delete")
def delete(experiment_id: Id, session: Writing, _: PageForm) -> Response:
    experiments.delete_experiment(session, experiment_id)
    return RedirectResponse("/experiments", status_code=303)


def _show(
    request: Request,
    session: Session,
    settings: Settings,
    experiment: Experiment,
    *,
    typed: dict[str, str] | None = None,
    refusal: TuneboardError | None = None,
    warnings: Sequence[str] = (),
) -> HTMLResponse:
    query = BoardQuery(experiment=str(experiment.id))
    ranked = leaderboard.build(session, query.runs, limit=ROWS)
    as_it_is = {
        "name": experiment.name,
        "description": experiment.description,
        "baseline_run": str(experiment.baseline_run_id or ""),
    }
    return page(
        request,
        "experiments/show.html",
        experiment=experiment,
        view=board(session, settings, ranked),
        query=query,
        many=False,
        more=ranked.next_cursor is not None,
        runs=session.exec(select(Run).where(Run.experiment_id == experiment.id).order_by(col(Run.id))).all(),
        typed=typed or as_it_is,
        warnings=warnings,
        errors=_by_field(refusal) if refusal else {},
        status_code=refusal.status if refusal else 200,
    )


def _index(
    request: Request,
    session: Session,
    *,
    typed: dict[str, str] | None = None,
    refusal: TuneboardError | None = None,
) -> HTMLResponse:
    listed = experiments.list_experiments(session)
    counts = experiments.count_runs(session, [e.id for e in listed if e.id is not None])
    baselines = experiments.baselines(session, listed)
    lines = [
        _line(session, experiment, counts.get(experiment.id or 0, RunCounts()), baselines.get(experiment.id or 0))
        for experiment in listed
    ]
    return page(
        request,
        "experiments/index.html",
        lines=lines,
        typed=typed or {"name": "", "description": ""},
        errors=_by_field(refusal) if refusal else {},
        status_code=refusal.status if refusal else 200,
    )


def _line(session: Session, experiment: Experiment, counts: RunCounts, baseline: Run | None) -> Line:
    ranked = leaderboard.build(session, RunFilter(experiment.id), limit=1)
    best = ranked.groups[0].rows[0] if ranked.groups else None
    return Line(experiment, counts, baseline, best)


def _by_field(refusal: TuneboardError) -> dict[str, str]:
    """A name that is taken is an error of the name field, as one that is missing is."""
    errors = refusal.errors if isinstance(refusal, Invalid) else [FieldError("name", str(refusal))]
    return {error.field: error.message for error in errors}


def _to(experiment_id: int | None) -> RedirectResponse:
    return RedirectResponse(f"/experiments/{experiment_id}", status_code=303)
