"""/runs: launch, list, change, cancel, retry, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from sqlmodel import Session

from app import idempotency, runs
from app.board import run_list
from app.board.run_filter import parse_filter
from app.listing import DEFAULT_LIMIT
from app.runs import NewRun
from app.web.api import shapes
from app.web.api.bodies import BulkAction, Launch, Retry, RunChanges
from app.web.api.documented import BODY, Cursor, Filter, Limit, problems
from app.web.deps import Id, Reading, SettingsDep, Wake, Writing

router = APIRouter(prefix="/runs", tags=["runs"], responses=problems(422))

IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=255)]


@router.post("", status_code=201, response_model=shapes.Run, responses=problems(*BODY, 409), summary="Launch a run")
def launch(
    body: Launch,
    session: Writing,
    settings: SettingsDep,
    wake: Wake,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Validate, store and queue. With an `Idempotency-Key`, a repeated request gets the first one's answer."""
    asked = idempotency_key and idempotency.request(idempotency_key, "/runs", body.model_dump(mode="json"))
    known = idempotency.replay(session, asked) if asked else None
    if known is None:
        session.rollback()  # the checks read files: not with the write lock held
    answer = known["runs"][0] if known else _create(session, settings, body, asked or None)
    response.headers["Location"] = f"/api/v1/runs/{answer['id']}"
    return announced(answer, up=wake(answer["id"]))


def _create(session: Session, settings: SettingsDep, body: Launch, asked: idempotency.Request | None) -> dict[str, Any]:
    new = NewRun(body.config, body.name, body.notes, body.tags)
    (run,) = runs.create_runs(
        session, settings, experiment=body.experiment, new=[new], asked=asked, cloned_from=body.cloned_from
    )
    return _run(session, run.id or 0)


@router.get("", response_model=shapes.Listed[shapes.Run], summary="List runs")
def list_all(
    session: Reading,
    experiment: Annotated[str | None, Query(description="An id or a name.")] = None,
    status: Annotated[str | None, Query(description="One or more, with commas.")] = None,
    filter: Filter = None,
    sort: Annotated[str, Query(description="A column, with `-` in front for the largest first.")] = "-id",
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> dict[str, Any]:
    page = run_list.list_runs(session, parse_filter(experiment, status, filter), sort=sort, limit=limit, cursor=cursor)
    items = [runs.to_api(*pair) for pair in page.items]
    return {"items": items, "next_cursor": page.next_cursor, "total": page.total}


@router.post("/bulk", status_code=204, responses=problems(*BODY, 404, 409), summary="Delete or tag many runs")
def bulk(body: BulkAction, session: Writing, settings: SettingsDep) -> None:
    """The same for many runs: all of them or none."""
    if body.action == "delete":
        runs.delete_runs(session, settings, body.ids)
    else:
        runs.tag_runs(session, body.ids, add=body.add, remove=body.remove)


@router.get("/{run_id}", response_model=shapes.Run, responses=problems(404), summary="Show a run")
def show(run_id: Id, session: Reading) -> dict[str, Any]:
    return _run(session, run_id)


@router.patch("/{run_id}", response_model=shapes.Run, responses=problems(*BODY, 404), summary="Change a run")
def patch(run_id: Id, body: RunChanges, session: Writing) -> dict[str, Any]:
    runs.patch_run(session, run_id, body.model_dump(exclude_unset=True))
    return _run(session, run_id)


@router.delete("/{run_id}", status_code=204, responses=problems(404, 409), summary="Delete a run")
def delete(run_id: Id, session: Writing, settings: SettingsDep) -> None:
    """A run that has ended, with its files."""
    runs.delete_runs(session, settings, [run_id])


@router.post(
    "/{run_id}/cancel", status_code=202, response_model=shapes.Run, responses=problems(404, 409), summary="Cancel a run"
)
def cancel(run_id: Id, session: Writing) -> dict[str, Any]:
    """A queued run is cancelled at once, a running one is asked to stop."""
    runs.cancel_run(session, run_id)
    return _run(session, run_id)


@router.post(
    "/{run_id}/retry",
    status_code=202,
    response_model=shapes.Run,
    responses=problems(*BODY, 404, 409),
    summary="Retry a run",
)
def retry(run_id: Id, session: Writing, wake: Wake, body: Retry | None = None) -> dict[str, Any]:
    """The same run, its next attempt: from the last good checkpoint, or from zero."""
    runs.retry_run(session, run_id, fresh=body.fresh if body else False)
    return announced(_run(session, run_id), up=wake(run_id))


def announced(answer: dict[str, Any], *, up: bool) -> dict[str, Any]:
    """After the commit; a broker that is away is a warning and no error: the row is what counts."""
    return answer if up else answer | {"warnings": [*answer["warnings"], runs.QUEUE_UNREACHABLE]}


def _run(session: Session, run_id: int) -> dict[str, Any]:
    return runs.to_api(*runs.get_with_experiment(session, run_id))
