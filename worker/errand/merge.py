"""A merged model: made, measured again on the held-out rows, described in a card, and in its place only when whole."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.artifacts import RESCORED
from app.run_config import RunConfig, parse
from worker.finetune import artifacts
from worker.finetune.errors import DISK_FULL, FinetuneError, explained
from worker.finetune.merging import merge
from worker.finetune.model_card import Card
from worker.finetune.reporter import Silent
from worker.finetune.rescoring import rescore
from worker.finetune.whole import whole_folder

MEMORY_HINT = "The merged model has to fit in memory whole, at 16 bits a weight: close other programs and ask again."


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """`{"rescored": ...}`, as the folder has it too; on the way `{"stage": ...}`."""
    config, final = parse(request["config"]), Path(request["folder"])
    final.parent.mkdir(parents=True, exist_ok=True)
    _check_room(Path(request["model_path"]), final.parent)
    try:
        with explained("merging"), whole_folder(final) as folder:
            emit({"stage": "merging"})
            dtype = merge(
                config,
                model_path=Path(request["model_path"]),
                adapter=Path(request["artifacts"]) / "adapter.zip",
                folder=folder,
            )
            emit({"stage": "measuring"})
            rescored = _rescored(config, folder, request)
            emit({"stage": "saving"})
            _describe(config, folder, request, rescored, str(dtype).removeprefix("torch."))
    except FinetuneError as error:
        raise replace(error, hint=MEMORY_HINT) if error.code == "out_of_memory" else error from error
    return {"rescored": rescored}


def _check_room(model: Path, disk: Path) -> None:
    """The published weights have 16 bits or more each."""
    needed, free = sum(file.stat().st_size for file in model.glob("*.safetensors")), shutil.disk_usage(disk).free
    if needed > free:
        raise replace(
            DISK_FULL, detail=f"The merged model takes up to {needed / 1e9:.1f} GB; {free / 1e9:.1f} are free."
        )


def _rescored(config: RunConfig, folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    lines = (Path(request["artifacts"]) / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return rescore(
        config,
        folder=folder,
        rows_path=Path(request["rows_path"]),
        dataset_sha256=request["dataset_sha256"],
        results=request["results"],
        predictions=[json.loads(line) for line in lines],
        reporter=Silent(),
    )


def _describe(config: RunConfig, folder: Path, request: dict[str, Any], rescored: dict[str, Any], dtype: str) -> None:
    card = Card(
        config, request["results"], request["environment"], request["train_rows"], request["dataset_name"], rescored
    )
    (folder / artifacts.CARD).write_text(card.text(), encoding="utf-8")
    artifacts.write_json(folder / RESCORED, rescored | {"dtype": dtype})
    for file in folder.iterdir():
        file.chmod(0o644)  # weights are written for their owner's eyes alone
    artifacts.write_manifest(folder)
