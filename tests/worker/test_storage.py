"""Writing that does not give up, and what it gives up at."""

import sqlite3
import threading
import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from app.db import connect
from app.models import Experiment
from app.settings import Settings
from worker.context import Context
from worker.storage import insist, is_full, is_passing


def add(session: Session) -> str:
    session.add(Experiment(name="written"))
    session.commit()
    return "done"


@pytest.fixture
def impatient(context: Context, settings: Settings):
    context.db = connect(settings.database, busy_timeout_ms=20)
    yield context
    context.db.dispose()


def locked(settings: Settings) -> sqlite3.Connection:
    locker = sqlite3.connect(settings.data_dir / "tuneboard.db", isolation_level=None, check_same_thread=False)
    locker.execute("BEGIN IMMEDIATE")
    return locker


def test_a_locked_database_is_waited_for(impatient: Context, settings: Settings) -> None:
    locker = locked(settings)
    threading.Timer(0.7, locker.close).start()
    began = time.monotonic()
    assert insist(impatient, add) == "done"
    assert time.monotonic() - began >= 0.6


def test_a_worker_that_stops_does_not_wait_for_ever(impatient: Context, settings: Settings) -> None:
    locker = locked(settings)
    impatient.stopping.set()
    with pytest.raises(OperationalError) as caught:
        insist(impatient, add)
    assert is_passing(caught.value)
    locker.close()


def test_a_mistake_is_not_repeated(impatient: Context) -> None:
    with pytest.raises(OperationalError) as caught:
        insist(impatient, lambda session: session.execute(text("SELECT * FROM nowhere")))
    assert not is_passing(caught.value)
    assert not is_full(caught.value)
