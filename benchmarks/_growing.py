"""What work costs as it grows: rows, runs of a study, points of curves. Each answer is a row of a table."""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.db import connect
from app.settings import SAMPLES, Settings
from benchmarks import _program
from benchmarks._asking import Json, Side, side
from benchmarks._filling import SERIES, fill, write_history
from benchmarks._serving import serving
from benchmarks._turns import OUR_MODULE

MODEL = SAMPLES / "models" / "clinic-2m"
PAIRS = SAMPLES / "data" / "clinic_pairs.jsonl"
FACTORS = (1, 2, 4, 8)
STUDIES = (1, 7, 21)
POINTS = (10_000, 100_000, 1_000_000, 10_000_000)
CURVED_RUNS = 100
HISTORY = "/api/v1/history?runs=1,2,3,4,5,6,7,8,9,10&name=train/loss&max_points=500"
REPEATS = 5

Cells = tuple[str, ...]


def _config(**changes: Any) -> Json:
    """A run of the sample; `changes` by dotted name, a colon for the dot."""
    config: Json = {"model": {"base_model": "sample/clinic-2m"}, "data": {"dataset": 1, "eval_fraction": 0.2}}
    for name, value in changes.items():
        group, _, key = name.partition("__")
        config.setdefault(group, {})[key] = value
    return config


def rows(factors: Sequence[int], threads: int) -> Iterator[Cells]:
    """(rows, import by the web process, ms a thousand rows, tokens and base made ready, ms a thousand rows)."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        ours = stack.enter_context(side([OUR_MODULE], threads, folder / "ours.log"))
        settings = Settings(data_dir=folder / "data")
        fill(settings, 0)
        server = stack.enter_context(serving(settings))
        _prepare(ours, _pairs(folder / "few.jsonl", 1, limit=100))  # the first one also warms up
        for factor in factors:
            path = _pairs(folder / f"{factor}.jsonl", factor)
            count = path.read_bytes().count(b"\n")
            began = time.perf_counter()
            with path.open("rb") as file:
                server.client.post("/api/v1/datasets", files={"file": (path.name, file)}).raise_for_status()
            imported, ready = time.perf_counter() - began, _prepare(ours, path)
            yield f"{count:,}", *_seconds(imported, count), *_seconds(ready, count)


def _seconds(seconds: float, rows: int) -> Cells:
    return f"{seconds:.2f}", f"{1e6 * seconds / rows:.0f}"


def _prepare(ours: Side, path: Path) -> float:
    return float(ours.ask("prepared", config=_config(), model=str(MODEL), dataset=str(path))["seconds"])


def _pairs(path: Path, factor: int, limit: int | None = None) -> Path:
    """The sample's pairs so many times over, each copy of a pair told apart, all of them in one group."""
    pairs = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()[:limit]]
    with path.open("w", encoding="utf-8") as file:
        for copy in range(factor):
            for pair in pairs:
                asked = f"{pair['instruction']} ({copy})" if copy else pair["instruction"]
                file.write(json.dumps({**pair, "instruction": asked}) + "\n")
    return path


def trained(factors: Sequence[int], threads: int) -> Iterator[Cells]:
    """(rows trained on and rows measured on, seconds of each, ms a row of each)."""
    with tempfile.TemporaryDirectory() as name, side([OUR_MODULE], threads, Path(name, "ours.log")) as ours:
        for factor in factors:
            given = {"model": str(MODEL), "dataset": str(PAIRS)}
            few, many = 50 * factor, 100 * factor
            config = _config(
                data__max_train_rows=many, training__num_train_epochs=1, training__gradient_accumulation_steps=1,
                training__eval_steps=10**6, training__learning_rate=2e-3, evaluation__max_eval_rows=few,
            )  # fmt: skip
            training = ours.ask("train", config=config, **given)["seconds"]
            evaluation = ours.ask("evaluate")["seconds"]
            per_row = f"{1000 * training / many:.1f}", f"{1000 * evaluation / few:.1f}"
            yield f"{many:,}", f"{training:.1f}", per_row[0], f"{few:,}", f"{evaluation:.2f}", per_row[1]


def studies(sizes: Sequence[int], threads: int) -> Iterator[Cells]:
    """(runs, seconds from launch to report, of it a run, seconds of the report alone): short runs, seed by seed."""
    config = _config(
        data__max_train_rows=48, training__num_train_epochs=1, evaluation__max_eval_rows=16,
        evaluation__max_new_tokens=16,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name, _program.running(Path(name), threads) as client:
        _program.launch(client, "base measured", config, [{"name": "first"}])
        for size in sizes:
            began = time.perf_counter()
            runs = [{"name": f"{size}-{seed}", "set": {"training.seed": seed}} for seed in range(size)]
            done = _program.launch(client, f"{size} runs", config, runs)
            seconds = time.perf_counter() - began
            experiment = done["runs"][0]["experiment"]["id"]
            began = time.perf_counter()
            client.get(f"/experiments/{experiment}/report").raise_for_status()
            report = time.perf_counter() - began
            yield f"{size}", f"{seconds:.1f}", f"{seconds / size:.2f}", f"{1000 * report:.0f}"


def points(sizes: Sequence[int]) -> Iterator[Cells]:
    """(points, written a second, bytes each on disk, then milliseconds: a history, the page of a run, the board)."""
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            settings = Settings(data_dir=Path(name))
            fill(settings, CURVED_RUNS)
            empty = _bytes(settings)
            database = connect(settings.database)
            began = time.perf_counter()
            with database.writing() as session:
                steps = max(1, size // CURVED_RUNS // len(SERIES))
                written = sum(write_history(session, run_id, steps) for run_id in range(1, CURVED_RUNS + 1))
            rate = written / (time.perf_counter() - began)
            database.dispose()
            on_disk = (_bytes(settings) - empty) / written
            with serving(settings) as server:
                asked = [server.ask(path, REPEATS).seconds for path in (HISTORY, "/runs/5", "/leaderboard")]
        yield f"{written:,}", f"{rate:,.0f}", f"{on_disk:.0f}", *(f"{1000 * seconds:.0f}" for seconds in asked)


def _bytes(settings: Settings) -> int:
    return sum(path.stat().st_size for path in settings.data_dir.glob("tuneboard.db*"))
