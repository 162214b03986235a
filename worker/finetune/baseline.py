"""The base model's measurement: taken once per `baseline_key`, kept as a file, reused by every run with that key."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.finetune.errors import explained
from worker.finetune.evaluation import Measurement, Metrics


@dataclass(frozen=True)
class Baseline:
    """`plain` is how a base with a chat template does with the plain prompt; None where it has no chat template."""

    measurement: Measurement
    plain: Metrics | None


def load(folder: Path, key: str) -> Baseline | None:
    try:
        value: dict[str, Any] = json.loads((folder / f"{key}.json").read_text())
    except FileNotFoundError:
        return None
    return Baseline(Measurement.from_json(value), value["plain"])


def store(folder: Path, key: str, baseline: Baseline) -> None:
    """Written beside and renamed: a reader sees the whole file or none, and of two writers either is right."""
    value = {"key": key, "plain": baseline.plain, **baseline.measurement.to_json()}
    with explained("storing the base model's measurement"):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{key}.{os.getpid()}.tmp"
        temporary.write_text(json.dumps(value))
        temporary.rename(folder / f"{key}.json")
