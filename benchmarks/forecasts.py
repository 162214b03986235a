"""What the launch form says of runs before they start, held against what they then take: memory and time.

    python -m benchmarks.forecasts [--base-model sample/clinic-2m] [--dataset rows.jsonl] [--keep FOLDER] [--threads 1]

Varied short runs, one after another, through a real broker, web server and worker; each is forecast from the runs
before it, as it is for people. Of the first one only the base's shape is known.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from app.run_config import nest
from app.settings import SAMPLES
from app.status import ENDED
from benchmarks import _program

USUAL: Mapping[str, Any] = {
    "data.max_length": 256,
    "data.max_train_rows": 320,
    "training.num_train_epochs": 1.0,
    "evaluation.max_eval_rows": 60,
    "evaluation.max_new_tokens": 64,
}
# What each run differs by from the one above; between them they change all that memory and time depend on most.
VARIED: Sequence[Mapping[str, Any]] = (
    {},
    {"training.learning_rate": 1e-3},
    {"lora.r": 32, "lora.lora_alpha": 64},
    {"training.per_device_train_batch_size": 16, "training.gradient_accumulation_steps": 1},
    {"training.num_train_epochs": 3.0},
    {"data.max_length": 96},
    {"data.max_train_rows": 1200},
    {"lora.lora_dropout": 0.0},
    {"quantization.method": "none"},
    {"training.gradient_checkpointing": True},
    {"training.packing": False, "training.train_sampling_strategy": "random"},
    {"quantization.method": "int8"},
    {"training.per_device_train_batch_size": 64, "training.gradient_accumulation_steps": 1},
    {"evaluation.max_eval_rows": 200, "evaluation.max_new_tokens": 128},
    {"lora.target_modules": ["q_proj", "v_proj"]},
    {"training.logits": "all", "lora.fused": False, "evaluation.generation": "plain", "training.packing": False},
    {"training.per_device_train_batch_size": 1, "training.gradient_accumulation_steps": 16},
)


def measure(client: httpx.Client, base_model: str, differs: Mapping[str, Any]) -> dict[str, Any]:
    flat = {"model.base_model": base_model, "data.dataset": 1, **USUAL, **differs}
    asked = {"experiment": "forecasts", "config": nest(flat)}
    run_id = client.post("/runs", json=asked).raise_for_status().json()["id"]
    _program.wait(lambda: _program.run(client, run_id)["status"] in ENDED)
    return _program.completed(client, run_id)


class Held:
    """Forecasts beside what came."""

    def __init__(self) -> None:
        self.off: dict[str, list[float]] = {"memory": [], "time": []}

    def add(self, differs: Mapping[str, Any], run: Mapping[str, Any]) -> str:
        said, took = run["forecast"] or {}, _seconds(run)
        memory, peak = (said.get("memory") or {}).get("bytes"), run["resources"]["peak_memory_bytes"]
        cells = [
            self._cell("memory", memory, peak, 1e6),
            self._cell("time", (said.get("time") or {}).get("seconds"), took),
            f"{run['resources']['startup_seconds']:6.1f}",
        ]
        return "  ".join([*cells, " ".join(f"{name.rpartition('.')[2]}={value}" for name, value in differs.items())])

    def _cell(self, kind: str, said: float | None, came: float, unit: float = 1) -> str:
        if said is None:
            return f"{'-':>7} {came / unit:7.1f} {'':>6}"
        off = (said - came) / came
        self.off[kind].append(abs(off))
        return f"{said / unit:7.1f} {came / unit:7.1f} {off:+6.1%}"

    def summary(self) -> Iterator[str]:
        for kind, found in self.off.items():
            later = found[1:]
            if later:
                spread = f"median {median(later):.1%}, largest {max(later):.1%} of {len(later)} runs"
                yield f"{kind}: first {found[0]:.1%}, then {spread}"


def _seconds(run: Mapping[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(run[name]) for name in ("started_at", "finished_at"))
    return (ended - began).total_seconds()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-model", default="sample/clinic-2m")
    parser.add_argument("--dataset", type=Path, default=SAMPLES / "data/clinic_pairs.jsonl")
    parser.add_argument("--keep", type=Path, help="data folder to use and leave there")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with _program.running(folder, options.threads) as client:
            upload = {"file": ("rows.jsonl", options.dataset.read_bytes())}
            client.post("/datasets", files=upload).raise_for_status()
            held = Held()
            print(f"{'memory, MB':^22}  {'seconds, start to end':^22}")
            print(f"{'said':>7} {'came':>7} {'off':>6}  " * 2 + "waited")
            for differs in VARIED:
                print(held.add(differs, measure(client, options.base_model, differs)), flush=True)
    print("\n".join(held.summary()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
