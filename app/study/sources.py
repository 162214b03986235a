"""A study from the database: the finished runs of an experiment, their set-up in words, intervals between them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlmodel import Session, col, select

from app import differences, experiments
from app.metrics import COMPARED
from app.models import Dataset, Experiment, ResultImport, Run
from app.run_config import flatten
from app.settings import Settings
from app.status import RunStatus
from app.study.findings import Interval
from app.study.report import Study
from app.study.runs import Configuration, StudyRun

Json = dict[str, Any]


def load(session: Session, settings: Settings, experiment_id: int, *, best_by: str = "perplexity") -> Study:
    """Raises NotFound for an experiment that is not there."""
    experiment = experiments.get_experiment(session, experiment_id)
    rows = session.exec(select(Run).where(col(Run.experiment_id) == experiment_id).order_by(col(Run.id))).all()
    finished = [run for run in rows if run.status == RunStatus.COMPLETED]
    counts = experiments.count_runs(session, [experiment_id])
    baseline = experiments.baseline_run(experiment, counts[experiment_id]) if rows else None
    return Study(
        experiment=_experiment(experiment),
        setup=_setup(session, finished),
        runs=[study_run(run) for run in finished],
        baseline=baseline,
        interval=partial(_interval, settings),
        unfinished=sum(run.status in (RunStatus.QUEUED, RunStatus.RUNNING) for run in rows),
        best_by=best_by,
        facts=_facts(session, finished),
    )


def _experiment(experiment: Experiment) -> Json:
    return {"id": experiment.id, "name": experiment.name, "description": experiment.description}


def study_run(run: Run) -> StudyRun:
    """A finished run as a study sees it; what was not measured, or not stated by an import, is missing, never 0."""
    results, resources = run.results or {}, run.resources or {}
    assert run.id is not None
    return StudyRun(
        id=run.id,
        name=run.name,
        settings=flatten(run.config),
        metrics=_known(results.get("finetuned")),
        base=_known(results.get("base")),
        intervals={name: tuple(bounds) for name, bounds in (results.get("intervals") or {}).items() if bounds},
        resources=resources,
        notes=run.notes,
        import_id=run.import_id,
        fingerprint=run.fingerprint,
        perplexity_key=run.perplexity_key,
    )


def _known(values: Json | None) -> dict[str, float]:
    return {m.short: values[m.short] for m in COMPARED if values and values.get(m.short) is not None}


def _interval(settings: Settings, a: Configuration, b: Configuration, metric: str) -> Interval | None:
    """Of the relative change from a to b, over the rows that both answered; None where no rows are kept."""
    if a.first.imported or b.first.imported:
        return None
    return differences.relative_intervals(settings, a.first.id, b.first.id).get(metric)


def _setup(session: Session, runs: Sequence[Run]) -> Json:
    """What the runs share; `lines` say it in words, a label each."""
    launched = [run for run in runs if run.origin == "launched"]
    if not launched:
        return _stated(session, runs)
    first = launched[0]
    dataset = session.get(Dataset, first.dataset_id) if first.dataset_id else None
    environment, resources = first.environment, first.resources or {}
    data = f"{dataset.name}, {dataset.rows:,} rows, SHA-256 {dataset.sha256[:12]}" if dataset else "deleted"
    lines = {
        "Base model": _shared(launched, "model.base_model"),
        "Method": f"LoRA on {_shared(launched, 'lora.target_modules')}, {_shared(launched, 'quantization.method')}",
        "Data": f"{data}; trained on {resources.get('train_rows', '?')} rows",
        "Evaluation": f"{(first.results or {}).get('eval_rows')} held-out rows, greedy decoding, {first.fingerprint}",
        "Hardware": str(resources.get("device", "?")),
        "Versions": ", ".join(f"{k} {v}" for k, v in (environment.get("versions") or {}).items() if v),
    }
    return {
        "base_model": flatten(first.config)["model.base_model"],
        "train_rows": resources.get("train_rows"),
        "dataset": dataset.name if dataset else None,
        "dataset_sha256": dataset.sha256 if dataset else None,
        "eval_rows": (first.results or {}).get("eval_rows"),
        "device": resources.get("device"),
        "versions": environment.get("versions"),
        "fingerprint": first.fingerprint,
        "lines": lines,
    }


def _shared(runs: Sequence[Run], name: str) -> str:
    """The values of a setting over the runs, most often one."""
    return " and ".join(dict.fromkeys(str(flatten(run.config).get(name)) for run in runs))


def _stated(session: Session, runs: Sequence[Run]) -> Json:
    """What an import said of itself."""
    found = session.get(ResultImport, runs[0].import_id) if runs and runs[0].import_id else None
    setup = found.setup if found else {}
    labels = {"base_model": "Base model", "dataset": "Data", "train_rows": "Training rows",
              "gradient_accumulation_steps": "Accumulation"}  # fmt: skip
    lines = {label: f"{setup[name]:,}" if isinstance(setup[name], int) else str(setup[name])
             for name, label in labels.items() if setup.get(name) is not None}  # fmt: skip
    return {**setup, "lines": {"Origin": "imported from a table", **lines} if found else {}}


def _facts(session: Session, runs: Sequence[Run]) -> list[str]:
    """Caveats that the data set and the runs themselves carry, each once."""
    ids = {run.dataset_id for run in runs if run.dataset_id}
    found = session.exec(select(Dataset).where(col(Dataset.id).in_(ids))).all()
    said = [f"{dataset.name}: {warning}" for dataset in found for warning in dataset.warnings]
    return list(dict.fromkeys([*said, *(w for run in runs for w in run.warnings if "queue unreachable" not in w)]))
