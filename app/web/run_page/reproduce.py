"""The commands that repeat a run with nothing but this program's worker: no queue, no database.

On CPU they end with the same bits; on a GPU with what its kernels leave to chance.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from app.data.datasets import rows_hash
from app.launch import base_models
from app.models import Dataset, Experiment, Run
from app.settings import Settings

HUB_FOLDER = "base-model"


@dataclass(frozen=True)
class Reproduction:
    """`fetch` are the commands that bring what is needed, `train` is the run, `queue` hands it to the queue instead."""

    fetch: Sequence[str]
    train: str
    queue: str

    @property
    def text(self) -> str:
        return "\n".join((*self.fetch, self.train))


def reproduction(settings: Settings, run: Run, dataset: Dataset, experiment: Experiment, address: str) -> Reproduction:
    """`address` is how the reader reaches this server."""
    api = f"{address.rstrip('/')}/api/v1"
    header = ' -H "Authorization: Bearer $TUNEBOARD_TOKEN"' if settings.token else ""
    files = (f"{api}/runs/{run.id}/config.json", f"{api}/datasets/{dataset.id}/rows.jsonl")
    model, download = _model(settings, run)
    return Reproduction(
        [*(f"curl -fsSO{header} {shlex.quote(file)}" for file in files), *download],
        _train(run, dataset, model),
        _line(["tuneboard", "launch", "config.json", "--experiment", experiment.name, "--name", f"{run.name}, again"]),
    )


def _train(run: Run, dataset: Dataset, model: str) -> str:
    commit = run.environment.get("model_commit")
    return " \\\n  ".join(
        [
            f"python -m worker config.json --output-dir run-{run.id}",
            # The hash is part of what the results say they were measured on: with it they compare with this run's.
            f"--dataset rows.jsonl --dataset-sha256 {rows_hash(dataset)}",
            _line([f"--dataset-name={dataset.name}"]),
            _line(["--model", model, *(["--model-commit", str(commit)] if commit else [])]),
            *([f"--batch-divisor {run.batch_divisor}"] if run.batch_divisor > 1 else []),
        ]
    )


def _model(settings: Settings, run: Run) -> tuple[str, list[str]]:
    """The folder of the base model, and what brings it where it is not on this machine."""
    model = run.config["model"]
    folder = base_models.folder(settings, model["base_model"], model.get("revision"))
    if folder is not None:
        return str(folder), []
    revision = run.environment.get("model_commit") or model.get("revision")
    download = ["hf", "download", model["base_model"], *(["--revision", str(revision)] if revision else [])]
    return HUB_FOLDER, [_line([*download, "--local-dir", HUB_FOLDER])]


def _line(words: Sequence[str]) -> str:
    return shlex.join(words)
