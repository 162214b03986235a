"""Runs as rows, for tests of what reads them."""

from typing import Any

from sqlmodel import Session, select

from app.db import Database, now
from app.models import Experiment, MetricName, MetricPoint, Run, RunValue
from app.run_config import nest, parse
from app.status import ENDED, RunStatus

BASE = {"perplexity": 40.0, "bleu": 0.2, "rouge_l": 0.3, "loss": 3.69}


def config(**changes: Any) -> dict[str, Any]:
    """A complete configuration; `lora__r=4` for `lora.r`."""
    flat = {name.replace("__", "."): value for name, value in changes.items()}
    return parse(nest({"model.base_model": "some/model", "data.dataset": 1} | flat)).model_dump(mode="json")


def add_run(database: Database, status: RunStatus = RunStatus.QUEUED, experiment: str = "study", **fields: Any) -> int:
    """Store a run and its experiment; answers the run's id. Fields are the row's own."""
    with database.writing() as session:
        run = _run(session, status, experiment, **fields)
        session.commit()
        assert run.id
        return run.id


def add_completed(
    database: Database, perplexity: float | None, bleu: float = 0.4, rouge_l: float = 0.5, **fields: Any
) -> int:
    """A run with results, comparable with all others of the same keys."""
    scores = {"perplexity": perplexity, "bleu": bleu, "rouge_l": rouge_l, "loss": 1.0}
    keys = {"fingerprint": "asked", "perplexity_key": "tokens", "baseline_key": "base"}
    fields = keys | fields
    keys = {name: fields[name] for name in keys}
    with database.writing() as session:
        run = _run(session, RunStatus.COMPLETED, **{"experiment": "study"} | fields)
        improvement = dict.fromkeys(("perplexity", "bleu", "rouge_l"), 0.1)
        run.results = {
            "base": BASE,
            "finetuned": scores,
            "improvement": improvement,
            "eval_rows": 30,
            "eval_tokens": 900,
            **keys,
        }
        run.resources = run.resources or {"device": "CPU", "memory_kind": "rss", "train_seconds": 60.0 + (run.id or 0)}
        values = {f"eval/{name}": value for name, value in scores.items() if value is not None}
        session.add_all(RunValue(run_id=run.id, name=name, last=value, best=value) for name, value in values.items())
        session.commit()
        assert run.id
        return run.id


def add_points(database: Database, run_id: int, name: str, points: dict[int, float | None]) -> None:
    with database.writing() as session:
        known = session.exec(select(MetricName).where(MetricName.name == name)).first() or MetricName(name=name)
        session.add(known)
        session.flush()
        rows = [
            {"step": step, "value": value, "time": step * 2.0, "epoch": step / 10} for step, value in points.items()
        ]
        session.add_all(MetricPoint(run_id=run_id, name_id=known.id, **row) for row in rows)
        session.commit()


def _run(session: Session, status: RunStatus, experiment: str, **fields: Any) -> Run:
    found = session.exec(select(Experiment).where(Experiment.name == experiment)).first() or Experiment(name=experiment)
    session.add(found)
    session.flush()
    finished = now() if status in ENDED else None
    values = {"name": "run", "config": config(), "status": status, "finished_at": finished} | fields
    run = Run(experiment_id=found.id or 0, **values)
    session.add(run)
    session.flush()
    return run
