"""How fast and how small the web process is: `python -m benchmarks.web [RUNS]` prints a table.

It fills a database of its own with RUNS finished runs (10,000 unless told) and asks a real server.
"""

import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from app import migrate
from app.db import connect, now
from app.models import Dataset, Experiment, Run, RunValue
from app.run_config import nest, parse
from app.settings import ROOT, Settings
from app.status import RunStatus

REPEATS = 15
CALLS = {
    "Leaderboard page": "/leaderboard",
    "Leaderboard page, words to find": "/leaderboard?filter=rank",
    "Leaderboard, by perplexity": "/api/v1/leaderboard",
    "Leaderboard, by BLEU": "/api/v1/leaderboard?sort=-bleu",
    "Leaderboard, by a setting": "/api/v1/leaderboard?sort=lora.r",
    "Leaderboard, by training time": "/api/v1/leaderboard?sort=train_seconds",
    "Leaderboard, one experiment": "/api/v1/leaderboard?experiment=3",
    "Leaderboard, by configuration": "/api/v1/leaderboard?group=configuration",
    "Leaderboard, words to find": "/api/v1/leaderboard?filter=rank",
    "Runs, newest 50": "/api/v1/runs",
    "Runs, newest 1,000": "/api/v1/runs?limit=1000",
    "One run": "/api/v1/runs/77",
    "Launch page": "/runs/new",
}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        fill(settings, count)
        table = Table(title=f"Web, {count:,} finished runs", title_justify="left", box=None)
        for name in ("", "median", "slowest"):
            table.add_column(name, justify="right" if name else "left")
        measure(settings, table)
        Console(width=100).print(table)


def fill(settings: Settings, count: int) -> None:
    """Three groups that do not compare, ten experiments, and settings as a sweep with three seeds would have them."""
    migrate.upgrade(settings)
    chance = random.Random(0)
    database = connect(settings.database)
    with database.writing() as session:
        shape: dict[str, Any] = {"format": "jsonl", "rows": 2500, "train_rows": 2250, "eval_rows": 250, "columns": []}
        session.add(Dataset(id=1, name="pairs", sha256="0" * 64, **shape))
        session.add_all(Experiment(id=i, name=f"Experiment {i}") for i in range(1, 11))
        session.flush()
        for run_id in range(1, count + 1):
            session.add(_run(run_id, chance))
            names = ("eval/perplexity", "eval/bleu", "eval/rouge_l", "eval/loss", "train/loss")
            values = {name: chance.random() for name in names}
            session.add_all(RunValue(run_id=run_id, name=n, last=v, best=v) for n, v in values.items())
        session.commit()
    database.dispose()


def _run(run_id: int, chance: random.Random) -> Run:
    variant = run_id // 30 * 10 + run_id % 10  # ten experiments, in each three seeds of every variant
    rank = 4 << variant // 10 % 4
    config = {
        "model.base_model": "some/model",
        "data.dataset": 1,
        "lora.r": rank,
        "lora.lora_alpha": 2 * rank,
        "training.learning_rate": 1e-5 * (1 + variant),
        "training.seed": run_id // 10 % 3,
    }
    key = f"{run_id * 3 // 10_000:064x}"
    scores = {"perplexity": chance.uniform(10, 40), "bleu": chance.random(), "rouge_l": chance.random(), "loss": 3.0}
    keys: dict[str, Any] = {"fingerprint": key, "perplexity_key": key, "baseline_key": key}
    return Run(
        id=run_id,
        experiment_id=run_id % 10 + 1,
        dataset_id=1,
        name=f"Run {run_id}",
        notes=f"rank {rank}",
        config=parse(nest(config)).model_dump(mode="json"),
        status=RunStatus.COMPLETED,
        finished_at=now(),
        results={
            "base": scores,
            "finetuned": scores,
            "improvement": dict.fromkeys(("perplexity", "bleu", "rouge_l"), -0.2),
            "intervals": {name: [-0.3, -0.1] for name in ("perplexity", "bleu", "rouge_l")},
            "eval_rows": 250,
            "eval_tokens": 20_000,
            **keys,
        },
        resources={"device": "GPU", "train_seconds": chance.uniform(60, 9000), "peak_memory_bytes": 4_200_000_000},
        environment={"torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.2", "python": "3.11"},
        **keys,
    )


def measure(settings: Settings, table: Table) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"TUNEBOARD_DATA_DIR": str(settings.data_dir), "TUNEBOARD_PORT": str(port)}
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "app.web.server"], cwd=ROOT, env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"accept": "text/html"}, timeout=60) as client:
            _wait(client, process)
            table.add_row("Start to the first 200", f"{time.perf_counter() - began:.2f} s", "")
            table.add_row("Memory (RSS), started", f"{_rss(process.pid):.0f} MB", "")
            for label, path in CALLS.items():
                seconds = [_ask(client, path) for _ in range(REPEATS)]
                table.add_row(label, f"{statistics.median(seconds) * 1000:.0f} ms", f"{max(seconds) * 1000:.0f} ms")
            table.add_row("Memory (RSS), after all of it", f"{_rss(process.pid):.0f} MB", "")
    finally:
        process.terminate()
        process.wait()


def _wait(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            client.get("/healthz").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.01)
        else:
            return
    raise SystemExit("the web process did not start")


def _ask(client: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    client.get(path).raise_for_status()
    return time.perf_counter() - began


def _rss(pid: int) -> float:
    """Resident memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1000


if __name__ == "__main__":
    main()
