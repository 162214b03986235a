"""What an attempt needs before its child can start: a folder, the configuration as a file, the two commands."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session

from app.data.datasets import rows_hash
from app.data.rows import ROWS_FILE
from app.errors import NotFound
from app.models import Dataset, Run
from app.run_config import RunConfig, parse
from app.settings import Settings
from worker.series import POINTS_FILE

# What the interpreter is started with; tests put a stand-in that trains nothing in its place.
TRAINING = ("-m", "worker")
DOWNLOAD = ("-m", "worker.download")
CONFIG_FILE = "config.json"
OUTPUT_FILE = "output.log"


@dataclass(frozen=True)
class Job:
    config: RunConfig
    run_dir: Path
    rows: Path
    dataset_sha256: str
    dataset_name: str
    downloads_dir: Path
    baselines_dir: Path
    cache_dir: Path
    resume: bool
    batch_divisor: int

    @property
    def output(self) -> Path:
        return self.run_dir / OUTPUT_FILE


def load(session: Session, settings: Settings, run: Run) -> Job:
    """Raises NotFound or Invalid where the run's row no longer fits what is stored."""
    assert run.id is not None
    dataset = session.get(Dataset, run.dataset_id)
    if dataset is None or dataset.id is None:
        raise NotFound("The data set of this run is gone.")
    rows = settings.dataset_dir(dataset.id) / ROWS_FILE
    if not rows.is_file():
        raise NotFound(f"The rows of data set {dataset.id} are gone.")
    return Job(
        config=parse(run.config),
        run_dir=settings.run_dir(run.id),
        rows=rows,
        dataset_sha256=rows_hash(dataset),
        dataset_name=dataset.name,
        downloads_dir=settings.downloads_dir,
        baselines_dir=settings.baselines_dir,
        cache_dir=settings.token_cache_dir,
        resume=not run.fresh_start,
        batch_divisor=run.batch_divisor,
    )


def clear(job: Job) -> None:
    """Remove what earlier attempts left, for a start from zero."""
    for name in ("checkpoints", "artifacts"):
        shutil.rmtree(job.run_dir / name, ignore_errors=True)
    (job.run_dir / POINTS_FILE).unlink(missing_ok=True)


def tidy(run_dir: Path) -> None:
    """Remove what a child that was killed left half written; to be called with the run's lock in hand."""
    for folder in (run_dir, run_dir / "checkpoints"):
        for left in folder.glob(".*.tmp"):
            shutil.rmtree(left, ignore_errors=True)


def write_config(job: Job) -> None:
    text = job.config.model_dump_json(indent=1)
    (job.run_dir / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")


def training_command(job: Job, model: Path, commit: str | None) -> list[str]:
    command: list[str | Path] = [*TRAINING, job.run_dir / CONFIG_FILE, "--output-dir", job.run_dir]
    command += ["--dataset", job.rows, "--dataset-sha256", job.dataset_sha256, "--model", model]
    command += [f"--dataset-name={job.dataset_name}"]  # which may begin with a dash
    command += ["--baselines-dir", job.baselines_dir, "--cache-dir", job.cache_dir, "--lock", job.run_dir / "lock"]
    command += ["--model-commit", commit] if commit else []
    command += ["--resume"] if job.resume else []
    command += ["--batch-divisor", str(job.batch_divisor)] if job.batch_divisor > 1 else []
    return [*map(str, command), *_reporting()]


def download_command(job: Job) -> list[str]:
    model = job.config.model
    command = [*DOWNLOAD, model.base_model, "--into", str(job.downloads_dir)]
    return [*command, *(["--revision", model.revision] if model.revision else []), *_reporting()]


def _reporting() -> list[str]:
    return ["--report-fd", "{fd}", "--parent-pid", str(os.getpid())]
