"""The reference study, once by this program and once as a loop of plain scripts, from launch to everything finished."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.launch.study_presets import reference_study
from app.run_config import RunConfig, nest, parse
from app.settings import ROOT, SAMPLES
from app.terminal.demo import LEARNING_RATE_FACTOR, SETTINGS
from benchmarks import _program
from benchmarks._asking import Json, side
from benchmarks._turns import OUR_MODULE

MODEL = SAMPLES / "models" / "clinic-2m"
DATASET = SAMPLES / "data" / "clinic_pairs.jsonl"
# What both sides are told of a run's training; all else is left to each side's defaults.
TOLD = (
    "learning_rate", "per_device_train_batch_size", "gradient_accumulation_steps", "num_train_epochs",
    "lr_scheduler_type", "warmup_steps", "seed",
)  # fmt: skip
SETTLED_SECONDS = 10
HERE, SCRIPTS = "Tuneboard", "scripts"
TINY: Json = {
    "data.max_train_rows": 24,
    "training.max_steps": 2,
    "evaluation.max_eval_rows": 4,
    "evaluation.max_new_tokens": 4,
}


@dataclass
class Studied:
    """Seconds by the clock and of CPU, of it in each part; each run's metrics by its name."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    runs: dict[str, Json] = field(default_factory=dict)


Runs = list[tuple[str, dict[str, Any]]]


def study(threads: int, rounds: int, *, tiny: bool) -> dict[str, list[Studied]]:
    """Of each side its rounds, the quickest first. With several threads ours comes twice: all of them for one run at a
    time, and as many workers, each with one."""
    taken = [_all_sides(threads, tiny=tiny) for _ in range(rounds)]
    return {name: sorted((sides[name] for sides in taken), key=lambda studied: studied.seconds) for name in taken[0]}


def _all_sides(threads: int, *, tiny: bool) -> dict[str, Studied]:
    """Half of the scripts run before ours and half after, so that a drift of the machine hits both."""
    config = nest(SETTINGS | {"data.dataset": 1} | (TINY if tiny else {}))
    runs = [(name, values) for name, _, values in reference_study(parse(config), LEARNING_RATE_FACTOR)]
    runs = runs[:1] if tiny else runs
    plain = Studied()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _leave_rows(config, folder / "rows.json", threads)
        _plain(plain, config, runs[: len(runs) // 2], folder / "rows.json", threads)
        sides = {HERE: _ours(config, runs, folder / "one", threads)}
        if threads > 1:
            sides[f"{threads} workers of one"] = _ours(config, runs, folder / "several", 1, workers=threads)
        _plain(plain, config, runs[len(runs) // 2 :], folder / "rows.json", threads)
    return sides | {SCRIPTS: plain}


def _leave_rows(config: Json, to: Path, threads: int) -> None:
    with side([OUR_MODULE], threads, to.with_suffix(".log")) as ours:
        ours.ask("rows", config=config, model=str(MODEL), dataset=str(DATASET), to=str(to))


def _ours(config: Json, runs: Runs, folder: Path, threads: int, workers: int = 1) -> Studied:
    """The program is up before, as it is when somebody launches a study; its spare process, too, if it has one."""
    cpu = _cpu_of_children()
    folder.mkdir()
    with _program.running(folder, threads, workers) as client:
        time.sleep(SETTLED_SECONDS)
        began = time.perf_counter()
        done = _program.launch(client, "study", config, [{"name": name, "set": values} for name, values in runs])
        found = Studied(time.perf_counter() - began)
    found.cpu_seconds = _cpu_of_children() - cpu
    resources = [run["resources"] for run in done["runs"]]
    found.parts = {
        "trained": sum(used["train_seconds"] for used in resources),
        "evaluated": sum(used["evaluation_seconds"] for used in resources),
    }
    if workers == 1:
        found.parts["between and besides"] = found.seconds - sum(found.parts.values())
    found.runs = {run["name"]: run["results"]["finetuned"] for run in done["runs"]}
    return found


def _plain(into: Studied, config: Json, runs: Runs, rows: Path, threads: int) -> None:
    began, cpu = time.perf_counter(), _cpu_of_children()
    for name, values in runs:
        made = parse(_merged(config, values))
        answer = _script(_asked(made, rows), threads)
        into.runs[name] = answer["tuned"]
        for part, seconds in answer["parts"].items():
            into.parts[part] = into.parts.get(part, 0.0) + seconds
    into.seconds += time.perf_counter() - began
    into.cpu_seconds += _cpu_of_children() - cpu


def _merged(config: Json, values: dict[str, Any]) -> Json:
    merged = {group: dict(content) for group, content in config.items()}
    for name, value in values.items():
        group, _, key = name.partition(".")
        merged.setdefault(group, {})[key] = value
    return merged


def _asked(config: RunConfig, rows: Path) -> Json:
    training = config.training.model_dump(include=set(TOLD))
    lora = config.lora.model_dump(include={"r", "lora_alpha", "lora_dropout"})
    return {
        "model": str(MODEL),
        "rows": str(rows),
        "lora": lora,
        "training": training,
        "method": config.quantization.method,
        "checkpointing": False,
        "max_new_tokens": config.evaluation.max_new_tokens,
    }


def _script(asked: Json, threads: int) -> Json:
    command = [sys.executable, "-m", "benchmarks._plain_study", json.dumps(asked)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"a plain script ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found: Json = json.loads(done.stdout.splitlines()[-1])
    return found


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
