"""Home and leaderboard: what runs, what is best, what has changed, and the table with all there is to compare."""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlmodel import Session, col, func, select

from app import experiments, workers
from app.board import csv, leaderboard
from app.board.leaderboard import Leaderboard
from app.board.run_columns import TABLE
from app.board.run_filter import RunFilter
from app.disk import disk_use
from app.models import Experiment, Run
from app.settings import Settings
from app.status import RunStatus
from app.web.board_page import chooser, filtering
from app.web.board_page.heads import heads
from app.web.board_page.highlights import highlights
from app.web.board_page.query import BoardQuery
from app.web.board_page.saved import saved
from app.web.board_page.view import board
from app.web.deps import Health, HealthLook, Reading, SettingsDep
from app.web.templating import page

router = APIRouter(include_in_schema=False)

ROWS_PER_PAGE = 50

# As the line under the title counts them.
STATES = (RunStatus.COMPLETED, RunStatus.RUNNING, RunStatus.QUEUED, RunStatus.FAILED, RunStatus.CANCELLED)


@router.get("/")
@router.get("/leaderboard")
def show(request: Request, session: Reading, settings: SettingsDep, look: Health) -> Response:
    if session.exec(select(Run.id).limit(1)).first() is None:
        return _first_steps(request, session, settings, look)
    query = BoardQuery.of(request.query_params)
    if "add" in request.query_params:
        return RedirectResponse(filtering.added(query, request.query_params).link(), status_code=303)
    if len(request.query_params.getlist("columns")) > 1:
        return RedirectResponse(query.link(cursor=query.cursor), status_code=303)
    return _show(request, session, settings, query)


@router.get("/leaderboard.csv")
def as_csv(request: Request, session: Reading) -> Response:
    """All rows of the table; written whole, so that a slow download holds no snapshot of the database open."""
    query = BoardQuery.of(request.query_params)
    lines = csv.lines(
        session, query.runs, sort=query.sort, columns=query.shown, by_configuration=query.by_configuration
    )
    headers = {"Content-Disposition": 'attachment; filename="tuneboard-runs.csv"'}
    return Response("".join(lines), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/live/strip")
def live_strip(request: Request, session: Reading, settings: SettingsDep) -> HTMLResponse:
    query = BoardQuery.of(request.query_params)
    return page(request, "board/_strip.html", shown=highlights(session, settings, _leaders(session, query)))


@router.get("/live/board")
def live_board(request: Request, session: Reading, settings: SettingsDep) -> HTMLResponse:
    query = BoardQuery.of(request.query_params)
    return page(request, "board/_table.html", **_table(session, settings, query, _ranked(session, query)))


@router.get("/live/machine")
def live_machine(request: Request, session: Reading, settings: SettingsDep, look: Health) -> HTMLResponse:
    return page(request, "board/_machine.html", **_machine(session, settings, look))


def _show(request: Request, session: Session, settings: Settings, asked: BoardQuery) -> HTMLResponse:
    query, mistake = filtering.read(asked)
    picked = _picked(session, query.runs)
    ranked = _ranked(session, query)
    return page(
        request,
        "board/show.html",
        status_code=422 if mistake else 200,
        shown=highlights(session, settings, ranked if query.is_best_first else _leaders(session, query)),
        experiments=experiments.list_experiments(session),
        picked=picked,
        counts=_counts(session, query.runs),
        statuses=list(RunStatus),
        disk=disk_use(settings),
        typed=asked.filter,
        mistake=mistake,
        chips=filtering.chips(query, picked),
        operators=filtering.OPERATORS,
        choices=chooser.groups(query.shown),
        views=saved(session, query),
        **_table(session, settings, query, ranked),
    )


def _ranked(session: Session, query: BoardQuery) -> Leaderboard:
    return leaderboard.build(
        session,
        query.runs,
        sort=query.sort,
        columns=query.shown,
        limit=ROWS_PER_PAGE,
        cursor=query.cursor or None,
        by_configuration=query.by_configuration,
    )


def _leaders(session: Session, query: BoardQuery) -> Leaderboard:
    """Of the picked experiment, whatever else the table is narrowed to or sorted by."""
    return leaderboard.build(session, RunFilter(query.runs.experiment), limit=2)


def _table(session: Session, settings: Settings, query: BoardQuery, ranked: Leaderboard) -> dict[str, Any]:
    pinned = session.get(Run, query.pinned) if query.pinned else None
    return {
        "query": query if pinned else replace(query, baseline=""),
        "view": board(session, settings, ranked, pinned),
        "total": ranked.total,
        "next_cursor": ranked.next_cursor,
        "many": not query.experiment and session.exec(select(func.count()).select_from(Experiment)).one() > 1,
        "gone": query.pinned if query.pinned and not pinned else None,
    }


def _picked(session: Session, chosen: RunFilter) -> Experiment | None:
    if isinstance(chosen.experiment, int):
        return experiments.get_experiment(session, chosen.experiment)
    named = select(Experiment).where(Experiment.name == chosen.experiment)
    return session.exec(named).first() if chosen.experiment else None


def _counts(session: Session, chosen: RunFilter) -> dict[RunStatus, int]:
    """Of the runs that the table is about, how many are in each state."""
    statement = select(Run.status, func.count()).where(*chosen.conditions())
    found = dict(session.exec(statement.group_by(col(Run.status))).all())
    return {status: found[status] for status in STATES if status in found}


def _first_steps(request: Request, session: Session, settings: Settings, look: HealthLook) -> HTMLResponse:
    """Before the first run: what to do next, and whether this machine is ready for it."""
    return page(request, "board/first.html", query=None, heads=heads(TABLE), **_machine(session, settings, look))


def _machine(session: Session, settings: Settings, look: HealthLook) -> dict[str, Any]:
    return {
        "parts": look(),
        "workers": [worker for worker, alive in workers.list_workers(session) if alive],
        "model_folders": settings.model_folders,
    }
