"""The same work on MLflow's own server and SQLite store, in turns with ours, as ratios."""

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from rich.table import Table

from app.db import connect
from app.settings import ROOT, Settings
from benchmarks._filling import fill, write_history
from benchmarks._serving import Server, free_port, serving, started

RUNS, POINTS = 1_000, 2_000
TURNS = 3
# What a server still loads after its first answer is not what is measured.
SETTLED_SECONDS = 15


def table(python: str, repeats: int) -> Table:
    """A row a piece of work: ours, theirs, and how many times better ours is (below 1: worse)."""
    made = Table(title=f"Side by side with MLflow, {RUNS:,} runs", title_justify="left", box=None)
    for column in ("", "Tuneboard", "MLflow", "ratio"):
        made.add_column(column, justify="right" if column else "left")
    if subprocess.run([python, "-c", "import mlflow"], capture_output=True, check=False).returncode:
        made.add_row(f"{python} has no mlflow: left out")
        return made
    with tempfile.TemporaryDirectory() as folder, _ours(Path(folder)) as ours, _theirs(Path(folder), python) as theirs:
        for row in _rows(*ours, *theirs, repeats):
            made.add_row(*row)
    return made


def _rows(
    our: Server, our_rate: float, their: Server, filled: dict[str, Any], repeats: int
) -> Iterator[tuple[str, ...]]:
    time.sleep(SETTLED_SECONDS)
    yield _row("start to the first 200, s", our.start_seconds, their.start_seconds)
    yield _row("memory, MB", our.memory(), their.memory())
    rate = filled["points_a_second"]
    yield "points written a second", f"{our_rate:,.0f}", f"{rate:,.0f}", f"{our_rate / rate:.1f}"
    search = {"experiment_ids": [filled["experiment"]], "max_results": 50}
    best = {**search, "order_by": ["metrics.perplexity ASC"]}
    few = {**best, "filter": "params.r = '8' and metrics.perplexity < 20"}
    ours = "/api/v1/leaderboard?limit=50"
    theirs = "/api/2.0/mlflow/runs/search"
    history = urlencode([("run_id", run) for run in filled["runs"]] + [("metric_key", "loss"), ("max_results", 25_000)])
    for label, path, other, body in (
        ("50 best of all", ours, theirs, best),
        ("50 best of a filter", f"{ours}&filter=lora.r = 8 and eval/perplexity < 20", theirs, few),
        (
            f"history, 10 x {POINTS:,} points",
            f"/api/v1/history?runs=1,2,3,4,5,6,7,8,9,10&name=train/loss&max_points={POINTS}",
            f"/ajax-api/2.0/mlflow/metrics/get-history-bulk?{history}",
            None,
        ),
    ):
        # In turns, so that what else the machine does meets both; by the clock, as theirs has helpers of its own.
        turns = [(our.ask(path, repeats).seconds, their.ask(other, repeats, body).seconds) for _ in range(TURNS)]
        mine, other_seconds = (statistics.median(times) for times in zip(*turns, strict=True))
        yield _row(f"{label}, ms", mine * 1000, other_seconds * 1000)


def _row(label: str, ours: float, theirs: float) -> tuple[str, str, str, str]:
    return label, f"{ours:,.1f}", f"{theirs:,.1f}", f"{theirs / ours:.1f}" if ours else "-"


@contextmanager
def _ours(folder: Path) -> Iterator[tuple[Server, float]]:
    settings = Settings(data_dir=folder / "ours")
    fill(settings, RUNS)
    database = connect(settings.database)
    with database.writing() as session:
        began = time.perf_counter()
        written = sum(write_history(session, run_id, POINTS, batch=1000) for run_id in range(1, 11))
        rate = written / (time.perf_counter() - began)
    database.dispose()
    with serving(settings) as server:
        yield server, rate


@contextmanager
def _theirs(folder: Path, python: str) -> Iterator[tuple[Server, dict[str, Any]]]:
    store, port = folder / "mlflow.db", free_port()
    script = [python, str(ROOT / "benchmarks/_mlflow_store.py"), str(store), str(RUNS), str(POINTS)]
    filled: dict[str, Any] = json.loads(subprocess.run(script, capture_output=True, check=True, text=True).stdout)
    address = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command = [python, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{store}", *address]
    with started(command, port, {}, "/health") as server:
        yield server, filled
