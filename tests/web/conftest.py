"""A web application on a migrated database of its own, whose queue is a list of the ids it was woken for; and the
same as a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import ROOT, Settings


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


@dataclass
class Web:
    process: subprocess.Popen[str]
    address: str


def start(settings: Settings, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.web.server"],
        cwd=ROOT,
        env=os.environ | {"TUNEBOARD_DATA_DIR": str(settings.data_dir)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def web(settings: Settings) -> Iterator[Web]:
    port = free_port()
    process = start(settings, TUNEBOARD_PORT=str(port))
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            httpx.get(f"{address}/healthz").raise_for_status()
            break
        except httpx.TransportError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    yield Web(process, address)
    process.kill()
    process.communicate()
