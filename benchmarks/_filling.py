"""Finished runs by the thousand, as a sweep with seeds would have left them, and histories of every series."""

import math
import random
from typing import Any

from sqlmodel import Session

from app import migrate
from app.db import connect, now
from app.models import Dataset, Experiment, Run, RunValue
from app.run_config import nest, parse
from app.settings import Settings
from app.status import RunStatus
from worker.protocol import Points
from worker.series import Series

SERIES = ("train/loss", "train/learning_rate", "train/grad_norm", "train/tokens_per_second", "system/memory")
SCORES = ("eval/perplexity", "eval/bleu", "eval/rouge_l", "eval/loss", "train/loss")


def fill(settings: Settings, runs: int) -> None:
    """Three groups that do not compare, ten experiments, and settings with three seeds each."""
    migrate.upgrade(settings)
    chance = random.Random(0)
    database = connect(settings.database)
    with database.writing() as session:
        shape: dict[str, Any] = {"format": "jsonl", "rows": 2500, "train_rows": 2250, "eval_rows": 250, "columns": []}
        session.add(Dataset(id=1, name="pairs", sha256="0" * 64, **shape))
        session.add_all(Experiment(id=i, name=f"Experiment {i}") for i in range(1, 11))
        session.flush()
        for run_id in range(1, runs + 1):
            session.add(_run(run_id, runs, chance))
            values = {name: chance.random() for name in SCORES}
            session.add_all(RunValue(run_id=run_id, name=n, last=v, best=v) for n, v in values.items())
        session.commit()
    database.dispose()


def _run(run_id: int, runs: int, chance: random.Random) -> Run:
    variant = run_id // 30 * 10 + run_id % 10  # ten experiments, in each three seeds of every variant
    rank = 4 << variant // 10 % 4
    config = {
        "model.base_model": "some/model",
        "data.dataset": 1,
        "lora.r": rank,
        "lora.lora_alpha": 2 * rank,
        "training.learning_rate": 1e-5 * (1 + variant),
        "training.seed": run_id // 10 % 3,
    }
    key = f"{run_id * 3 // (runs + 1):064x}"
    scores = {"perplexity": chance.uniform(10, 40), "bleu": chance.random(), "rouge_l": chance.random(), "loss": 3.0}
    keys: dict[str, Any] = {"fingerprint": key, "perplexity_key": key, "baseline_key": key}
    return Run(
        id=run_id,
        experiment_id=run_id % 10 + 1,
        dataset_id=1,
        name=f"Run {run_id}",
        notes=f"rank {rank}",
        config=parse(nest(config)).model_dump(mode="json"),
        status=RunStatus.COMPLETED,
        finished_at=now(),
        results={
            "base": scores,
            "finetuned": scores,
            "improvement": dict.fromkeys(("perplexity", "bleu", "rouge_l"), -0.2),
            "intervals": {name: [-0.3, -0.1] for name in ("perplexity", "bleu", "rouge_l")},
            "eval_rows": 250,
            "eval_tokens": 20_000,
            **keys,
        },
        resources={"device": "GPU", "train_seconds": chance.uniform(60, 9000), "peak_memory_bytes": 4_200_000_000},
        environment={"torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.2", "python": "3.11"},
        **keys,
    )


def write_history(session: Session, run_id: int, points: int, *, batch: int = 500) -> int:
    """Every series of one run, in batches as a worker writes them; how many points that were."""
    chance, series = random.Random(run_id), Series()
    for step in range(1, points + 1):
        values = dict.fromkeys(SERIES, 0.0)
        values["train/loss"] = 1 + 2 * math.exp(-step / 400) + chance.gauss(0, 0.05)
        values["train/learning_rate"] = 2e-4 * (1 - step / points)
        values["train/grad_norm"] = chance.uniform(0.2, 2.0)
        values["train/tokens_per_second"] = chance.uniform(900, 1100)
        values["system/memory"] = 4.2e9
        series.take(Points(step=step, epoch=step / points * 3, time=step * 0.5, values=values))
        if step % batch == 0 or step == points:
            series.write(session, run_id)
            session.commit()
            series.written()
    return points * len(SERIES)
