"""What a route asks for: settings, a session to read or to write with, and the worker's wake-up."""

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Request
from sqlmodel import Session

from app import health
from app.db import MAX_ID, Database
from app.health import Part
from app.settings import Settings
from app.web import turns
from app.web.hub import Hub

Waker = Callable[[int], bool]
HealthLook = Callable[[], dict[str, Part]]


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _database(request: Request) -> Database:
    database: Database = request.app.state.db
    return database


def _wake(request: Request) -> Waker:
    wake: Waker = request.app.state.wake
    return wake


def _hub(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


def _health(request: Request) -> HealthLook:
    state = request.app.state
    return partial(health.parts, state.settings, state.db, state.queue_watch)


SettingsDep = Annotated[Settings, Depends(_settings)]
HubDep = Annotated[Hub, Depends(_hub)]
DatabaseDep = Annotated[Database, Depends(_database)]
# A look at each part of the machine: not free, so only where it is shown.
Health = Annotated[HealthLook, Depends(_health)]

# wake(run_id) after the commit; False: the broker is away and the run is found when it is back.
Wake = Annotated[Waker, Depends(_wake)]


def _reading(database: DatabaseDep) -> Iterator[Session]:
    with database.reading() as session:
        yield session


async def _turn(request: Request) -> AsyncIterator[None]:
    async with turns.taken(request):
        yield


def _writing(database: DatabaseDep, _: Annotated[None, Depends(_turn, scope="function")]) -> Iterator[Session]:
    with database.writing() as session:
        yield session


# A session's end is no commit: whatever writes has committed by then. It ends with the function and not with the
# response, so that a slow download holds no snapshot of the database open.
Reading = Annotated[Session, Depends(_reading, scope="function")]
Writing = Annotated[Session, Depends(_writing, scope="function")]

Id = Annotated[int, Path(ge=1, le=MAX_ID)]
