"""Runs in the database, a worker's context without Celery, and the stand-in for the training child."""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from app.data.rows import ROWS_FILE
from app.db import Database
from app.models import Attempt, Dataset, Experiment, Run
from app.queue import celery_app
from app.run_config import RunConfig
from app.settings import Settings
from tests.worker._spares import FAKE_SPARE
from worker import job, spare
from worker.context import Context
from worker.spare import Spares

FAKE_CHILD = Path(__file__).with_name("fake_child.py")

# Queues a run whose stand-in follows this plan; answers the run's id.
Launch = Callable[..., int]


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    (tmp_path / "bases" / "tiny").mkdir(parents=True)
    return settings.model_copy(update={"model_dirs": str(tmp_path / "bases"), "retry_seconds": 0.05})


@pytest.fixture
def launch(settings: Settings, database: Database) -> Launch:
    def queue_run(base_model: str = "tiny", fresh: bool = False, **plan: Any) -> int:
        with database.writing() as session:
            experiment, dataset = session.get(Experiment, 1), session.get(Dataset, 1)
            experiment = experiment or Experiment(id=1, name="one")
            dataset = dataset or Dataset(
                id=1, name="d", sha256="0" * 64, format="jsonl", rows=1, train_rows=1, eval_rows=0, columns=[]
            )
            session.add_all([experiment, dataset])
            session.flush()
            config = RunConfig.model_validate({"model": {"base_model": base_model}, "data": {"dataset": 1}})
            run = Run(experiment_id=1, dataset_id=1, name="r", config=config.model_dump(mode="json"), fresh_start=fresh)
            session.add(run)
            session.commit()
            assert run.id
            settings.dataset_dir(1).mkdir(parents=True, exist_ok=True)
            (settings.dataset_dir(1) / ROWS_FILE).touch()
            run_dir = settings.run_dir(run.id)
            run_dir.mkdir(parents=True)
            (run_dir / "fake.json").write_text(json.dumps(plan))
            return run.id

    return queue_run


@pytest.fixture
def context(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setattr(job, "TRAINING", (str(FAKE_CHILD),))
    return Context(settings, database, celery_app("memory://"), "cpu.1@here", "gpu.0")


@pytest.fixture
def run_of(database: Database) -> Callable[[int], Run]:
    def read(run_id: int) -> Run:
        with database.reading() as session:
            return session.get_one(Run, run_id)

    return read


@pytest.fixture
def attempts_of(database: Database) -> Callable[[int], list[Attempt]]:
    def read(run_id: int) -> list[Attempt]:
        with database.reading() as session:
            found = [session.get(Attempt, (run_id, number)) for number in range(1, 20)]
            return [attempt for attempt in found if attempt]

    return read


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    """The stand-in as a module: what its runs must come to."""
    return _module(FAKE_CHILD)


@pytest.fixture
def hub() -> Iterator[Any]:
    """A model hub with one model, for the download step."""
    files = {
        "config.json": b"{}",
        "model.safetensors": b"weights",
        "tokenizer.json": b"{}",
        "merges.txt": b"a b",
        "pytorch_model.bin": b"a pickle",
        "modeling.py": b"import os",
        "consolidated.safetensors": b"again",
        "onnx/model.json": b"{}",
    }
    with _module(FAKE_CHILD.with_name("fake_hub.py")).FakeHub(
        {"owner/name": files, "owner/old": {"x.bin": b""}}
    ) as hub:
        yield hub


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where dataclasses look
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fake_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare, "COMMAND", (str(FAKE_SPARE),))


@pytest.fixture
def spares(context: Context) -> Iterator[Spares]:
    yield context.spares
    context.spares.close()
