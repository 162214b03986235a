"""LLaMA-Factory as one more side: its own command in a Python that has it, on the same pairs and settings."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks._asking import Json
from benchmarks._cases import LORA, Case

# Lists what it has, and no more: the package itself is imported only by the training.
IS_THERE = "import importlib.util, sys; sys.exit(importlib.util.find_spec('llamafactory') is None)"


def is_there(python: str) -> bool:
    return subprocess.run([python, "-c", IS_THERE], capture_output=True, check=False).returncode == 0


def train(python: str, case: Case, rows: Path, threads: int) -> Json:
    """Seconds of its training alone, by its own clock, and how many tokens of rows went through it.

    `refused` says why where it ends in an error.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = json.loads(rows.read_text())["pairs"]
        (folder / "pairs.json").write_text(json.dumps(pairs))
        (folder / "dataset_info.json").write_text(json.dumps({"pairs": {"file_name": "pairs.json"}}))
        (folder / "run.yaml").write_text(json.dumps(_told(case, folder)))
        began = time.perf_counter()
        done = _run(python, folder / "run.yaml", threads)
        results = folder / "out" / "train_results.json"
        if done.returncode or not results.exists():
            return {"refused": (done.stderr.strip().splitlines() or ["no word of why"])[-1]}
        found = json.loads(results.read_text())
        return {
            "seconds": found["train_runtime"],
            "tokens": found["effective_tokens_per_sec"] * found["train_runtime"],
            "process_seconds": time.perf_counter() - began,
        }


def _run(python: str, run: Path, threads: int) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "DISABLE_VERSION_CHECK": "1",
    }  # fmt: skip
    command = [python, "-m", "llamafactory.cli", "train", str(run)]
    return subprocess.run(command, env=environment, cwd=run.parent, capture_output=True, text=True, check=False)


def _told(case: Case, folder: Path) -> Json:
    """Its own names for what both other sides are told; all else is left to its defaults."""
    return {
        **case.training,
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "model_name_or_path": str(case.model),
        "quantization_bit": 4,
        "lora_rank": LORA["r"],
        "lora_alpha": LORA["lora_alpha"],
        "lora_dropout": LORA["lora_dropout"],
        "lora_target": "all",
        "dataset": "pairs",
        "dataset_dir": str(folder),
        "template": "empty",
        "cutoff_len": 512,
        "output_dir": str(folder / "out"),
        "include_effective_tokens_per_second": True,
        "save_strategy": "no",
        "report_to": "none",
    }
