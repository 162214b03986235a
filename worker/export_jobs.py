"""What merging and copying need before their process starts: the run's files, and what its card tells."""

from typing import Any

from sqlmodel import Session

from app import exports, runs
from app.artifacts import folder
from app.data.rows import ROWS_FILE
from app.errors import Invalid
from app.models import Dataset, Errand
from app.settings import Settings
from worker import run_files


def prepare_merge(session: Session, settings: Settings, errand: Errand) -> dict[str, Any]:
    run = runs.get_run(session, errand.run_id or 0)
    dataset = session.get(Dataset, run.dataset_id)
    if dataset is None:
        raise Invalid.one("data.dataset", "The data set is gone, and with it the rows to measure the merged model on")
    return {
        "config": run.config,
        "model_path": str(run_files.model_folder(settings, run)),
        "rows_path": str(settings.dataset_dir(dataset.id or 0) / ROWS_FILE),
        "dataset_sha256": dataset.statistics.get("rows_sha256", dataset.sha256),
        "dataset_name": dataset.name,
        "artifacts": str(folder(settings, run.id or 0)),
        "folder": str(exports.folder(settings, run.id or 0)),
        "results": run.results,
        "environment": run.environment,
        "train_rows": (run.resources or {}).get("train_rows", 0),
    }


def prepare_push(session: Session, settings: Settings, errand: Errand) -> dict[str, Any]:
    run = runs.get_run(session, errand.run_id or 0)
    return {"adapter": str(run_files.adapter(settings, run)), "folder": str(exports.folder(settings, run.id or 0))}
