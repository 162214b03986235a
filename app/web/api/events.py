"""/events and /runs/{id}/events: server-sent events that say what changed. A page then asks for what it shows.

The data of an event is the run's state, its progress and the new points of its series as [step, value, time, epoch];
a point that comes twice replaces itself by its step. `truncated`: there were too many, ask for the series.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app import ids
from app.errors import Invalid
from app.listing import MAX_LIMIT
from app.live import News
from app.runs import get_run
from app.web.api.documented import problems
from app.web.deps import DatabaseDep, HubDep, Id
from app.web.hub import Hub

router = APIRouter(tags=["events"])

RECONNECT_MS = 2000

LastEventId = Annotated[str, Header(max_length=10_000)]


def _known(run_id: Id, database: DatabaseDep) -> int:
    """Asked before the stream starts, and with a session of its own: a stream must not hold one open."""
    with database.reading() as session:
        get_run(session, run_id)
    return run_id


def _listed(
    runs: Annotated[str | None, Query(description="Ids with commas; all that runs or waits unless told.")] = None,
) -> list[int] | None:
    parts = [part.strip() for part in (runs or "").split(",") if part.strip()]
    found = [run_id for part in parts if (run_id := ids.parse(part)) is not None]
    if len(found) < len(parts) or len(parts) > MAX_LIMIT:
        raise Invalid.one("runs", f"Up to {MAX_LIMIT} ids of runs with commas")
    return found or None


@router.get(
    "/runs/{run_id}/events", response_class=EventSourceResponse, responses=problems(404, 422), summary="Follow a run"
)
async def of_run(
    run_id: Annotated[int, Depends(_known)], hub: HubDep, last_event_id: LastEventId = ""
) -> AsyncIterator[ServerSentEvent]:
    async for event in _events(hub, [run_id], last_event_id):
        yield event


@router.get("/events", response_class=EventSourceResponse, responses=problems(422), summary="Follow many runs")
async def of_many(
    runs: Annotated[list[int] | None, Depends(_listed)], hub: HubDep, last_event_id: LastEventId = ""
) -> AsyncIterator[ServerSentEvent]:
    """One stream for many runs: a browser has only six connections to a server."""
    async for event in _events(hub, runs, last_event_id):
        yield event


async def _events(hub: Hub, runs: list[int] | None, last_event_id: str) -> AsyncIterator[ServerSentEvent]:
    async for event_id, news in hub.follow(runs, last_event_id):
        yield ServerSentEvent(data=_data(news), id=event_id or None, retry=RECONNECT_MS)


def _data(news: News) -> dict[str, object]:
    if news.gone:
        return {"run": news.run_id, "gone": True}
    return news.state | {"points": news.points, "truncated": news.truncated}
