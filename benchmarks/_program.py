"""The whole program as a person has it, broker, web server and worker, on a data folder of its own; through REST."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.processes import stop
from app.settings import ROOT
from app.status import ENDED, RunStatus
from benchmarks._serving import free_port

Json = dict[str, Any]
LONGEST_SECONDS = 3600


@contextmanager
def running(folder: Path, threads: int, workers: int = 1) -> Iterator[httpx.Client]:
    """`tuneboard up`, its workers there; each training computes with so many threads."""
    port = free_port()
    named = {"TUNEBOARD_DATA_DIR": folder, "TUNEBOARD_PORT": port, "TUNEBOARD_WORKERS": workers}
    with (folder / "up.log").open("wb") as log:
        command = [sys.executable, "-m", "app.cli", "up"]
        environment = os.environ | {name: str(value) for name, value in named.items()}
        environment["OMP_NUM_THREADS"] = str(threads)
        up = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=600, trust_env=False) as client:
            wait(lambda: len(client.get("/workers").json()["items"]) == workers, up)
            yield client
    finally:
        stop(up, grace=20)


def wait(condition: Callable[[], bool], process: subprocess.Popen[bytes] | None = None, look: float = 0.1) -> None:
    """Looks every so many seconds; while the program starts, no answer is one."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline and (process is None or process.poll() is None):
        try:
            if condition():
                return
        except (httpx.TransportError, KeyError):
            if process is None:
                raise
        time.sleep(look)
    raise SystemExit("the program did not come to that")


def launch(client: httpx.Client, experiment: str, config: Json, runs: list[Json]) -> Json:
    """Queue runs, wait until all have ended; the report of their experiment."""
    body = {"experiment": experiment, "config": config, "runs": runs}
    launched = client.post("/sweeps", json=body).raise_for_status().json()["runs"]
    ids = [run["id"] for run in launched]
    wait(lambda: all(run(client, one)["status"] in ENDED for one in ids), look=0.25)  # each look costs the runs time
    report: Json = client.get(f"/experiments/{launched[0]['experiment']['id']}/report").raise_for_status().json()
    return {"runs": [completed(client, one) for one in ids], "report": report}


def run(client: httpx.Client, run_id: int) -> Json:
    found: Json = client.get(f"/runs/{run_id}").raise_for_status().json()
    return found


def completed(client: httpx.Client, run_id: int) -> Json:
    found = run(client, run_id)
    if found["status"] != RunStatus.COMPLETED:
        raise SystemExit(f"run {run_id} ended as {found['status']}: {found['error']}")
    return found
