"""The queue: what runs, what waits in which order, who works, and how much disk is left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlmodel import Session, col, select

from app import experiments, leases, runs, waiting
from app.disk import disk_use
from app.models import Experiment, Run, Worker
from app.settings import Settings
from app.web import settings_view
from app.web.deps import Id, Reading, SettingsDep, Writing
from app.web.security import PageForm
from app.web.settings_view import SettingCell
from app.web.templating import page

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Line:
    """A run that runs or waits."""

    run: Run
    experiment: Experiment
    differences: list[SettingCell]


@dataclass(frozen=True)
class WorkerLine:
    worker: Worker
    is_alive: bool
    run: Run | None


@router.get("/queue")
def show(request: Request, session: Reading, settings: SettingsDep) -> HTMLResponse:
    return _page(request, session, settings, "queue/show.html")


@router.get("/live/queue")
def live(request: Request, session: Reading, settings: SettingsDep) -> HTMLResponse:
    return _page(request, session, settings, "queue/_live.html")


@router.post("/queue/{run_id}/move")
def move(run_id: Id, session: Writing, form: PageForm) -> Response:
    """To the front, or one place up or down; where the run has started meanwhile, the page just shows it."""
    ids = [run.id for run, _ in waiting.waiting(session) if run.id is not None]
    if run_id in ids:
        waiting.reorder(session, _moved(ids, run_id, str(form.get("to"))))
    return RedirectResponse("/queue", status_code=303)


@router.post("/queue/{run_id}/cancel")
def cancel(run_id: Id, session: Writing, _: PageForm) -> Response:
    runs.cancel_run(session, run_id)
    return RedirectResponse("/queue", status_code=303)


def _moved(ids: Sequence[int], run_id: int, to: str) -> list[int]:
    place = ids.index(run_id)
    others = [other for other in ids if other != run_id]
    target = {"first": 0, "up": max(0, place - 1)}.get(to, place + 1)
    return [*others[:target], run_id, *others[target:]]


def _page(request: Request, session: Session, settings: Settings, template: str) -> HTMLResponse:
    running, queued = waiting.running(session), waiting.waiting(session)
    baselines = experiments.baselines(session, (experiment for _, experiment in (*running, *queued)))
    return page(
        request,
        template,
        running=[_line(pair, baselines) for pair in running],
        waiting=[_line(pair, baselines) for pair in queued],
        workers=_workers(session),
        disk=disk_use(settings),
    )


def _line(pair: tuple[Run, Experiment], baselines: Mapping[int, Run]) -> Line:
    run, experiment = pair
    return Line(run, experiment, settings_view.differences(run, baselines.get(experiment.id or 0)))


def _workers(session: Session) -> list[WorkerLine]:
    return [
        WorkerLine(
            worker,
            leases.holds(worker.boot, worker.beat_until),
            session.get(Run, worker.run_id) if worker.run_id else None,
        )
        for worker in session.exec(select(Worker).order_by(col(Worker.name)))
    ]
