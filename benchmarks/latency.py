"""From the launch of a run to its first optimizer step, part by part: real broker, web server, worker and training.

    python -m benchmarks.latency [--base-model sample/clinic-2m] [--runs 4]

Cold: each run starts a process of its own. Warm: one waits for it, with everything imported. The first run of either
measures its base model, which is left out here; the later ones find the measurement. The worker is idle when each is
launched. What loading the model takes alone, in a process with everything imported, is shown beside it.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app import broker, claims
from app.launch import base_models
from app.migrate import upgrade
from app.processes import spawn, stop
from app.settings import Settings
from worker import app as worker_app
from worker import recorder, tasks
from worker.protocol import Environment, Event, Points, Stage
from worker.spare import Spares

ROWS = 60
# Each part ends with the moment named here; clocks are CLOCK_MONOTONIC, which all processes share.
PARTS = {
    "answered": "POST /runs answers",
    "claimed": "message, claim by the worker",
    "spawned": "child process made, or found",
    "imported": "Python, torch and libraries loaded",
    "prepared": "data read, base model quantised",
    "baseline": "base model measured or found",
    "stepped": "adapter attached, first step done",
}


def noting_worker(moments: Path) -> int:
    """The worker, which also writes down when what happened."""

    def note(name: str) -> None:
        with moments.open("a") as file:
            file.write(json.dumps([name, time.monotonic()]) + "\n")

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            if result is not None:
                note(name)
            return result

        return call

    take = recorder.Recorder.take

    def noting_take(self: recorder.Recorder, event: Event) -> None:
        if name := _moment(event):
            note(name)
        take(self, event)

    look = Spares.look

    def noting_look(self: Spares, *args: Any, **kwargs: Any) -> None:
        look(self, *args, **kwargs)
        with self._lock:
            if self._spare and self._spare.is_ready():
                note("ready")

    claims.claim = noted("claimed", claims.claim)
    vars(tasks)["_training"] = noted("spawned", vars(tasks)["_training"])
    Spares.look = noting_look  # type: ignore[method-assign]
    recorder.Recorder.take = noting_take  # type: ignore[method-assign]
    return worker_app.main()


def _moment(event: Event) -> str | None:
    match event:
        case Stage(name="preparing"):
            return "imported"
        case Environment():
            return "prepared"
        case Stage(name="training"):
            return "baseline"
        case Points(step=1):
            return "stepped"
    return None


@contextmanager
def running(settings: Settings, moments: Path) -> Iterator[httpx.Client]:
    upgrade(settings)
    log = settings.data_dir / "benchmark.log"
    with broker.running(settings), log.open("wb") as output:
        web = spawn([sys.executable, "-m", "app.web.server"], stdout=output, stderr=subprocess.STDOUT)
        noting = [sys.executable, "-m", "benchmarks.latency", "--moments", str(moments)]
        worker = spawn(noting, stdout=output, stderr=subprocess.STDOUT)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", timeout=30, trust_env=False) as client:
                _wait(lambda: client.get("/readyz").is_success)
                yield client
        finally:
            stop(worker, grace=10)
            stop(web, grace=10)


def measure(client: httpx.Client, base_model: str, moments: Path, *, warm: bool) -> dict[str, float]:
    """Seconds of each part for one run, once a process waits for it where one is to."""
    config = {
        "model": {"base_model": base_model},
        "data": {"dataset": 1, "max_length": 128},
        "training": {"max_steps": 2},
        "evaluation": {"max_new_tokens": 16},
    }
    moments.write_text("")
    if warm:
        _wait(lambda: "ready" in moments.read_text())
    launched = time.monotonic()
    answer = client.post("/api/v1/runs", json={"experiment": "latency", "config": config})
    answer.raise_for_status()
    answered = time.monotonic()
    _wait(lambda: _ended(client, answer.json()["id"]))
    seen: dict[str, float] = {}
    for name, moment in map(json.loads, moments.read_text().splitlines()):
        seen.setdefault(name, moment)
    return _parts(launched, {"answered": answered, **seen})


def _parts(launched: float, moments: Mapping[str, float]) -> dict[str, float]:
    """The worker may claim a run before its POST has answered: then that part took no time."""
    parts, last = {}, launched
    for name in PARTS:
        parts[name] = max(0.0, moments[name] - last)
        last = max(last, moments[name])
    return parts


def _ended(client: httpx.Client, run_id: int) -> bool:
    run = client.get(f"/api/v1/runs/{run_id}").raise_for_status().json()
    if run["status"] == "failed":
        raise SystemExit(f"The run failed: {run['error']}")
    return bool(run["status"] == "completed")


def _wait(condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("It took too long; see benchmark.log in the data folder.")


def show(sides: Mapping[str, Sequence[Mapping[str, float]]], loading: float) -> None:
    print(f"{'seconds':38}" + "".join(f"{name + ', median':>15} {'largest':>8}" for name in sides))
    for part, label in PARTS.items():
        _row(label, [[parts[part] for parts in runs] for runs in sides.values()])
    _row("launch to first step", [[sum(parts.values()) for parts in runs] for runs in sides.values()])
    since = list(PARTS)[list(PARTS).index("claimed") + 1 :]
    beyond = [[sum(parts[part] for part in since) - loading for parts in runs] for runs in sides.values()]
    _row(f"claim to first step, less {loading:.2f} of loading", beyond)


def _row(label: str, sides: Sequence[Sequence[float]]) -> None:
    print(f"{label:38}" + "".join(f"{statistics.median(found):15.2f} {max(found):8.2f}" for found in sides))


LOADING = """
import sys, time
from pathlib import Path
from worker import __main__ as program
program.prepare_environment()
program.load_libraries()
import torch
from app.config_sections import QuantizationConfig
from worker.finetune.model import load_base
began = time.monotonic()
where = {"dtype": torch.float32, "device": torch.device("cpu"), "stop_ids": ()}
load_base(Path(sys.argv[1]), QuantizationConfig(), **where)
print(time.monotonic() - began)
"""


def loading_seconds(settings: Settings, base_model: str) -> float:
    """The model alone, the first of its process."""
    folder = base_models.resolve(settings, base_model, None).folder
    found = [
        float(subprocess.check_output([sys.executable, "-c", LOADING, str(folder)], text=True).split()[-1])
        for _ in range(3)
    ]
    return statistics.median(found)


def one_side(options: argparse.Namespace, *, warm: bool) -> list[dict[str, float]]:
    """A stack of its own, with and without a process that waits."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        os.environ |= {"TUNEBOARD_DATA_DIR": folder, "TUNEBOARD_PORT": str(free.getsockname()[1])}
        os.environ["TUNEBOARD_SPARE"] = str(warm)
        free.close()
        moments = Path(folder) / "moments.jsonl"
        with running(Settings(), moments) as client:
            rows = [{"instruction": f"What is item {i}?", "response": f"It comes before {i + 1}."} for i in range(ROWS)]
            text = "".join(json.dumps(row) + "\n" for row in rows)
            client.post("/api/v1/datasets", files={"file": ("rows.jsonl", text)}).raise_for_status()
            runs = range(1 + options.runs)
            return [measure(client, options.base_model, moments, warm=warm) for _ in runs][1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-model", default="sample/clinic-2m")
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--moments", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.moments:
        return noting_worker(options.moments)
    sides = {"cold": one_side(options, warm=False), "warm": one_side(options, warm=True)}
    show(sides, loading_seconds(Settings(), options.base_model))
    return 0


if __name__ == "__main__":
    sys.exit(main())
