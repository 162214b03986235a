"""The base model's measurement: taken once per `baseline_key`, kept as a file, reused by every run with that key."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.processes import try_lock
from worker.finetune.errors import explained
from worker.finetune.evaluation import Measurement, Metrics
from worker.finetune.reporter import Reporter, check_stop
from worker.finetune.whole import sync


@dataclass(frozen=True)
class Baseline:
    """`plain` is how a base with a chat template does with the plain prompt; None where it has no chat template."""

    measurement: Measurement
    plain: Metrics | None


# Hidden files of this age are what a killed process has left; who still needs one measures twice, which does no harm.
STALE_SECONDS = 3600.0
LOOK_SECONDS = 0.2


def load(folder: Path, key: str) -> Baseline | None:
    """None where there is none, or none that can be read: then the base is measured again."""
    try:
        value: dict[str, Any] = json.loads((folder / f"{key}.json").read_text())
        return Baseline(Measurement.from_json(value), value["plain"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def store(folder: Path, key: str, baseline: Baseline) -> None:
    """Written beside and renamed: a reader sees the whole file or none, and of two writers either is right."""
    value = {"key": key, "plain": baseline.plain, **baseline.measurement.to_json()}
    with explained("storing the base model's measurement"):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{key}.{os.getpid()}.tmp"
        try:
            temporary.write_text(json.dumps(value))
            sync(temporary)
            temporary.rename(folder / f"{key}.json")
        finally:
            temporary.unlink(missing_ok=True)
        _remove_stale(folder)


@contextmanager
def turn(folder: Path, key: str, reporter: Reporter) -> Iterator[None]:
    """Within the block nobody else measures this base: who had to wait finds it stored."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{key}.turn"
    lock = try_lock(path)
    if lock is None:
        reporter.log("Another run is measuring the base model; waiting for that.")
    while lock is None:
        check_stop(reporter)
        time.sleep(LOOK_SECONDS)
        lock = try_lock(path)
    with lock:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _remove_stale(folder: Path) -> None:
    for left in folder.glob(".*"):
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < time.time() - STALE_SECONDS:
                left.unlink()
