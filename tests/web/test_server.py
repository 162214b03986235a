"""The web process as it really runs: live streams, a fast and clean end, and what it has in memory."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.address import listen
from app.db import Database
from app.models import Run
from app.settings import ROOT, Settings
from app.status import RunStatus
from tests.stored_runs import add_points, add_run
from tests.web.conftest import Web, free_port, start

# Documented: 0.2 s; asserted at more than three times that, on a machine that does other things.
SHUTDOWN_SECONDS = 2.0


class Reader(threading.Thread):
    """Follows a stream until it ends."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(daemon=True)
        self.url, self.headers = url, headers
        self.events: list[dict[str, object]] = []
        self.ids: list[str] = []
        self.ended_well = False
        self.content_type = ""

    def run(self) -> None:
        with httpx.stream("GET", self.url, timeout=30, headers=self.headers) as answer:
            self.content_type = answer.headers["content-type"]
            for line in answer.iter_lines():
                kind, _, value = line.partition(": ")
                if kind == "data":
                    self.events.append(json.loads(value))
                elif kind == "id":
                    self.ids.append(value)
        self.ended_well = True

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 20
        while len(self.events) < count:
            assert time.monotonic() < deadline, self.events
            time.sleep(0.02)


def test_streams_carry_what_changes_and_end_cleanly(web: Web, database: Database) -> None:
    run_id, other = add_run(database, RunStatus.RUNNING, step=1, attempt=1), add_run(database)
    one = Reader(f"{web.address}/api/v1/runs/{run_id}/events")
    many = Reader(f"{web.address}/api/v1/events?runs={run_id},{other}", {"Last-Event-ID": f"{run_id}.0"})
    for reader, first in ((one, 1), (many, 2)):
        reader.start()
        reader.wait_for(first)
        assert reader.content_type.startswith("text/event-stream")
    add_points(database, run_id, "train/loss", {2: 1.5})
    with database.writing() as session:
        session.get_one(Run, run_id).step = 2
        session.commit()
    one.wait_for(2)
    last = one.events[-1]
    assert (last["run"], last["status"]) == (run_id, "running")
    assert last["points"] == {"train/loss": [[2, 1.5, 4.0, 0.2]]}
    assert one.ids[-1] == f"{run_id}.2"
    many.wait_for(3)
    assert many.events[-1] == last
    assert httpx.get(f"{web.address}/api/v1/version").status_code == 200, "a stream holds no thread"

    began = time.monotonic()
    web.process.send_signal(signal.SIGTERM)
    output, _ = web.process.communicate(timeout=20)
    assert time.monotonic() - began < SHUTDOWN_SECONDS
    assert output == "", "nothing to complain about"
    for reader in (one, many):
        reader.join(5)
        assert reader.ended_well


def test_a_burst_of_pages_is_answered(web: Web) -> None:
    """A page asks with two sessions: with few connections, many at once would each wait for the other's second."""
    with ThreadPoolExecutor(60) as pool, httpx.Client(limits=httpx.Limits(max_connections=60), timeout=60) as client:
        answers = list(pool.map(lambda _: client.get(f"{web.address}/queue"), range(120)))
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.skipif(not os.path.exists("/proc"), reason="reads /proc")
def test_torch_is_not_in_the_web_process(web: Web) -> None:
    """Also after pages and calls have been answered: nothing may load it on the way."""
    for path in ("/", "/runs/new", "/datasets", "/queue", "/api/v1/config/schema", "/api/v1/models", "/readyz"):
        httpx.get(web.address + path, headers={"accept": "text/html"})
    with open(f"/proc/{web.process.pid}/maps") as maps:
        mapped = maps.read()
    assert "sqlite" in mapped, "the look into the process works"
    for library in ("torch", "bitsandbytes", "transformers", "tokenizers", "pyarrow"):
        assert f"/{library}" not in mapped, library


def test_importing_the_application_loads_no_training_library() -> None:
    code = "import sys, app.main, app.web.server; print(' '.join(m.partition('.')[0] for m in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = set(loaded.stdout.split())
    assert {"fastapi", "sqlmodel"} <= modules
    heavy = {"torch", "transformers", "peft", "bitsandbytes", "datasets", "evaluate", "accelerate", "worker", "pyarrow"}
    assert modules & heavy == set()
    # Two of Celery's own libraries, and what migrates: an idle dashboard would keep 20 MB of them.
    assert modules & {"celery", "kombu", "redis", "alembic", "mako", "pygments", "numpy", "httpx"} == set()


def test_answers_do_not_wait_for_acknowledgements(settings: Settings) -> None:
    """40 ms of every answer on a local connection, where the system joins small writes."""
    listener = listen(settings.model_copy(update={"port": free_port()}))
    with listener, socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_taken_port_is_one_clear_line(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        output, _ = start(settings, TUNEBOARD_PORT=str(port)).communicate(timeout=60)
    assert output.count("\n") == 1
    assert f"Port {port} on 127.0.0.1 is taken" in output


def test_an_open_address_without_a_token_is_refused(settings: Settings) -> None:
    process = start(settings, TUNEBOARD_HOST="0.0.0.0", TUNEBOARD_PORT=str(free_port()))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output.count("\n") == 1
    assert "TUNEBOARD_TOKEN" in output
