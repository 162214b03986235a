"""A web application on a migrated database of its own; the queue is a list of the ids it was woken for."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings


@dataclass
class FakeWake:
    """Stands for the broker: remembers whom it was to wake, and can be away."""

    ids: list[int] = field(default_factory=list)
    up: bool = True

    def __call__(self, run_id: int) -> bool:
        self.ids.append(run_id)
        return self.up


@pytest.fixture
def wake() -> FakeWake:
    return FakeWake()


@pytest.fixture
def app(settings: Settings, wake: FakeWake) -> FastAPI:
    app = create_app(settings)
    app.state.wake = wake
    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """Speaks to the application as a program on this machine does."""
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client
