"""The whole program as a person has it: broker, web server and worker as processes, spoken to through REST alone."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from app import broker
from app.migrate import upgrade
from app.settings import Settings
from tests.chaos.house import waits_for_a_run

BASE_MODEL = "sample/clinic-2m"
ROWS = 60
Json = dict[str, Any]


class Stack:
    """A running Tuneboard. `api` answers JSON, and fails for any status that is an error."""

    def __init__(self, settings: Settings, environment: dict[str, str], folder: Path) -> None:
        self.settings, self._environment, self._folder = settings, environment, folder
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{settings.port}/api/v1", timeout=30, trust_env=False)
        self.web = self._start("app.web.server")
        self.worker = self._start("worker.app")

    def _start(self, module: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{module}.log").open("ab") as log:
            command = [sys.executable, "-m", module]
            return subprocess.Popen(command, env=self._environment, stdout=log, stderr=subprocess.STDOUT)

    def restart_worker(self) -> None:
        self.worker = self._start("worker.app")

    def api(self, method: str, path: str, **request: Any) -> Any:
        answer = self._http.request(method, path, **request)
        assert answer.is_success, f"{answer.status_code}: {answer.text}"
        return answer.content if "attachment" in answer.headers.get("content-disposition", "") else answer.json()

    def run(self, run_id: int) -> Json:
        found: Json = self.api("GET", f"/runs/{run_id}")
        return found

    def launch(self, changes: Json | None = None) -> int:
        """Queue a run of some seconds, long enough to be met in the middle; `changes` by dotted name."""
        config: Json = {
            "model": {"base_model": BASE_MODEL},
            "data": {"dataset": 1, "eval_fraction": 0.2, "max_length": 128},
            "training": {"num_train_epochs": 12, "gradient_accumulation_steps": 1, "learning_rate": 1e-4},
            "evaluation": {"max_new_tokens": 16},
        }
        for name, value in (changes or {}).items():
            group, _, field = name.partition(".")
            config.setdefault(group, {})[field] = value
        run_id: int = self.api("POST", "/runs", json={"experiment": "end to end", "config": config})["id"]
        return run_id

    def wait(self, run_id: int, condition: Callable[[Json], bool], seconds: float = 180) -> Json:
        deadline = time.monotonic() + seconds
        while not condition(run := self.run(run_id)):
            assert time.monotonic() < deadline, f"it did not come to that: {run}"
            assert run["status"] != "failed", run["error"]
            time.sleep(0.1)
        return run

    def wait_for_end(self, run_id: int) -> Json:
        return self.wait(run_id, lambda run: run["status"] in ("completed", "cancelled"))

    def child(self) -> psutil.Process | None:
        """The training process of the worker, not the one that waits for a run."""
        return next((child for child in psutil.Process(self.worker.pid).children() if not waits_for_a_run(child)), None)

    def close(self) -> None:
        for process in (self.worker, self.web):
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) in (0, -signal.SIGTERM)
        self._http.close()


@contextmanager
def running_stack(tmp_path_factory: pytest.TempPathFactory, **variables: str) -> Iterator[Stack]:
    """Broker, web server and worker on a data folder of their own; their logs are printed in the end."""
    folder = tmp_path_factory.mktemp("e2e")
    with socket.socket() as free, pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        free.bind(("127.0.0.1", 0))
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("r")))
        settings = Settings(data_dir=folder / "data", port=free.getsockname()[1])
        free.close()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TUNEBOARD_")} | {
            "TUNEBOARD_DATA_DIR": str(settings.data_dir),
            "TUNEBOARD_PORT": str(settings.port),
            "TUNEBOARD_LEASE_SECONDS": "3",
            "OMP_NUM_THREADS": "1",
        }
        upgrade(settings)
        stack.enter_context(broker.running(settings))
        running = Stack(settings, environment | variables, folder)
        stack.callback(running.close)
        _wait_until_ready(settings)
        yield running
    for log in folder.glob("*.log"):
        print(log.name, log.read_text(), sep="\n")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory) as running:
        running.api("POST", "/datasets", files={"file": ("pairs.jsonl", _rows())})
        yield running


def _wait_until_ready(settings: Settings) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            ready = httpx.get(f"http://127.0.0.1:{settings.port}/readyz", trust_env=False)
        except httpx.TransportError:
            ready = None
        if ready is not None and ready.status_code == 200:
            return
        assert time.monotonic() < deadline, ready and ready.text
        time.sleep(0.1)


def _rows() -> bytes:
    rows = (
        {"instruction": f"What is item {i}?", "response": f"Item {i} comes before item {i + 1}."} for i in range(ROWS)
    )
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
