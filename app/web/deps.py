"""What a route asks for: settings, a session to read or to write with, and the worker's wake-up."""

from collections.abc import Callable, Iterator
from typing import Annotated

from fastapi import Depends, Path, Request
from sqlmodel import Session

from app.db import MAX_ID, Database
from app.settings import Settings
from app.web.hub import Hub

Waker = Callable[[int], bool]


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


SettingsDep = Annotated[Settings, Depends(_settings)]
HubDep = Annotated[Hub, Depends(_hub)]
DatabaseDep = Annotated[Database, Depends(_database)]

# wake(run_id) after the commit; False: the broker is away and the run is found when it is back.
Wake = Annotated[Waker, Depends(_wake)]


def _reading(database: DatabaseDep) -> Iterator[Session]:
    with database.reading() as session:
        yield session


def _writing(database: DatabaseDep) -> Iterator[Session]:
    with database.writing() as session:
        yield session


# A session's end is no commit: whatever writes has committed by then. It ends with the function and not with the
# response, so that a slow download holds no snapshot of the database open.
Reading = Annotated[Session, Depends(_reading, scope="function")]
Writing = Annotated[Session, Depends(_writing, scope="function")]

Id = Annotated[int, Path(ge=1, le=MAX_ID)]
