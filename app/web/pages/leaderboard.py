"""Home and leaderboard: what runs, what is best, what has changed, and the table with all there is to compare."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlmodel import Session, col, func, select

from app import experiments, ids, runs, workers
from app.board import leaderboard
from app.board.run_filter import RunFilter
from app.disk import disk_use, folder_size
from app.errors import Invalid
from app.models import Experiment, Run
from app.settings import Settings
from app.status import RunStatus
from app.web.board_page.highlights import Highlights, highlights
from app.web.board_page.query import BoardQuery
from app.web.board_page.view import board
from app.web.deps import Health, HealthLook, Reading, SettingsDep, Writing
from app.web.security import PageForm
from app.web.templating import page

router = APIRouter(include_in_schema=False)

ROWS_PER_PAGE = 100

# As the line under the title counts them.
STATES = (RunStatus.COMPLETED, RunStatus.RUNNING, RunStatus.QUEUED, RunStatus.FAILED, RunStatus.CANCELLED)


@router.get("/")
@router.get("/leaderboard")
def show(request: Request, session: Reading, settings: SettingsDep, look: Health) -> HTMLResponse:
    if session.exec(select(Run.id).limit(1)).first() is None:
        return _first_steps(request, session, settings, look)
    query = BoardQuery.read(request.query_params)
    return page(
        request,
        "board/show.html",
        shown=_highlights(session, settings, query),
        experiments=experiments.list_experiments(session),
        picked=_picked(session, query.runs),
        counts=_counts(session, query.runs),
        statuses=list(RunStatus),
        disk=disk_use(settings),
        **_table(session, settings, query),
    )


@router.get("/live/strip")
def live_strip(request: Request, session: Reading, settings: SettingsDep) -> HTMLResponse:
    return page(
        request, "board/_strip.html", shown=_highlights(session, settings, BoardQuery.read(request.query_params))
    )


@router.get("/live/board")
def live_board(request: Request, session: Reading, settings: SettingsDep) -> HTMLResponse:
    return page(request, "board/_table.html", **_table(session, settings, BoardQuery.read(request.query_params)))


@router.get("/live/machine")
def live_machine(request: Request, session: Reading, settings: SettingsDep, look: Health) -> HTMLResponse:
    return page(request, "board/_machine.html", **_machine(session, settings, look))


@router.post("/leaderboard/selection")
def change_selection(request: Request, session: Writing, settings: SettingsDep, form: PageForm) -> Response:
    """Tag or delete the runs that were ticked; deleting asks once more, on a page that names them."""
    chosen = [run_id for value in form.getlist("run") if (run_id := ids.parse(str(value))) is not None]
    if not chosen:
        raise Invalid.one("run", "No run is selected: tick the box in front of a run first.")
    back = BoardQuery.read({name: str(value) for name, value in form.items()})
    wish = str(form.get("wish", ""))
    if wish == "delete":
        return _ask_before_deleting(request, session, settings, chosen, back)
    if wish == "delete for good":
        runs.delete_runs(session, settings, chosen)
    else:
        tags = str(form.get("tags", "")).split(",")
        runs.tag_runs(session, chosen, **{"remove" if wish == "untag" else "add": tags})
    return RedirectResponse(back.link(cursor=back.cursor), status_code=303)


def _ask_before_deleting(
    request: Request, session: Session, settings: Settings, run_ids: Sequence[int], back: BoardQuery
) -> HTMLResponse:
    chosen = [runs.get_run(session, run_id) for run_id in run_ids]
    size = sum(folder_size(settings.run_dir(run_id)) for run_id in run_ids)
    left_without = select(Experiment.name).where(col(Experiment.baseline_run_id).in_(run_ids))
    return page(
        request, "board/delete.html", runs=chosen, size=size, query=back, baseline_of=session.exec(left_without).all()
    )


def _table(session: Session, settings: Settings, query: BoardQuery) -> dict[str, Any]:
    ranked = leaderboard.build(
        session,
        query.runs,
        sort=query.sort,
        limit=ROWS_PER_PAGE,
        cursor=query.cursor or None,
        by_configuration=query.by_configuration,
    )
    return {
        "query": query,
        "view": board(session, settings, ranked),
        "total": ranked.total,
        "next_cursor": ranked.next_cursor,
        "many": not query.experiment and session.exec(select(func.count()).select_from(Experiment)).one() > 1,
    }


def _highlights(session: Session, settings: Settings, query: BoardQuery) -> Highlights:
    """Of the picked experiment, whatever else the table is narrowed to or sorted by."""
    return highlights(session, settings, leaderboard.build(session, RunFilter(query.runs.experiment), limit=2))


def _picked(session: Session, chosen: RunFilter) -> Experiment | None:
    if isinstance(chosen.experiment, int):
        return experiments.get_experiment(session, chosen.experiment)
    named = select(Experiment).where(Experiment.name == chosen.experiment)
    return session.exec(named).first() if chosen.experiment else None


def _counts(session: Session, chosen: RunFilter) -> dict[RunStatus, int]:
    """Of the runs that the table is about, how many are in each state."""
    joined = col(Run.experiment_id) == col(Experiment.id)
    statement = select(Run.status, func.count()).join(Experiment, joined).where(*chosen.conditions())
    found = dict(session.exec(statement.group_by(col(Run.status))).all())
    return {status: found[status] for status in STATES if status in found}


def _first_steps(request: Request, session: Session, settings: Settings, look: HealthLook) -> HTMLResponse:
    """Before the first run: what to do next, and whether this machine is ready for it."""
    return page(request, "board/first.html", query=None, **_machine(session, settings, look))


def _machine(session: Session, settings: Settings, look: HealthLook) -> dict[str, Any]:
    return {
        "parts": look(),
        "workers": [worker for worker, alive in workers.list_workers(session) if alive],
        "model_folders": settings.model_folders,
    }
