"""Everything that the templates of a run's page are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, or_, tuple_
from sqlmodel import Session, col, func, select

from app import artifacts, attempts, computing, experiments, lineage, run_state, runs, workers
from app.models import Dataset, Experiment, MetricPoint, ResultImport, Run
from app.run_config import LABELS
from app.settings import Settings
from app.status import ENDED, STAGES, RunStatus
from app.web.numbers import setting
from app.web.run_page import answers, course, exports, foretold, outcome, progress, remedies, reproduce, values
from app.web.run_page.log import LAST_LINES, Place


@dataclass(frozen=True)
class Asked:
    """What the address asks for. `server` is how the reader reaches it; `keep`: leave out what a script keeps up."""

    server: str
    order: str = ""
    offset: int = 0
    log: Place = LAST_LINES
    keep: bool = False


def build(session: Session, settings: Settings, run_id: int, asked: Asked) -> dict[str, Any]:
    run, experiment = runs.get_with_experiment(session, run_id)
    return {
        **_identity(session, run, experiment),
        **_state(session, run),
        **_outcome(session, settings, run, experiment),
        **_files(settings, run),
        **exports.build(session, settings, run),
        **_origin(session, settings, run, experiment, asked.server),
        "answers": answers.answers(settings, run, asked.order, asked.offset),
        "orders": [(name, text) for name, (text, _) in answers.ORDERS.items()],
        "keep": asked.keep,
        **({} if asked.keep else course.course(session, settings, run, asked.log)),
    }


def progress_of(session: Session, run_id: int) -> dict[str, Any]:
    run = runs.get_run(session, run_id)
    return {"run": run, "layout": _layout(session, run), **_state(session, run)}


def values_of(session: Session, run_id: int) -> dict[str, Any]:
    run = runs.get_run(session, run_id)
    return {"run": run, "values": values.values(session, run_id, course.series_of(session, run_id))}


def _identity(session: Session, run: Run, experiment: Experiment) -> dict[str, Any]:
    return {
        "run": run,
        "experiment": experiment,
        "dataset": session.get(Dataset, run.dataset_id) if run.dataset_id else None,
        "imported_from": _source(session, run),
        "layout": _layout(session, run),
        "state": _state_text(run),
        "ended": run.status in ENDED,
        "warnings": run.warnings,
        "edited": {"name": run.name, "notes": run.notes, "tags": ", ".join(run.tags)},
        "edit_errors": [],
    }


def _state_text(run: Run) -> str:
    """What an event has to differ in for the page to be another one; js/run.js writes the same of an event."""
    cancelled = "true" if run.cancel_requested else "false"
    return "|".join([run.status, run_state.stage(run) or "", str(run.attempt), cancelled, str(len(run.warnings))])


def _source(session: Session, run: Run) -> str | None:
    """The table that an imported run stood in."""
    found = session.get(ResultImport, run.import_id) if run.import_id is not None else None
    return found.source if found else None


def _layout(session: Session, run: Run) -> str:
    """Which parts the page has, and in which order."""
    if run.origin == "imported":
        return "imported"
    if run.status == RunStatus.COMPLETED:
        return "completed"
    if run.status not in ENDED:
        return "under way"
    some = session.exec(select(MetricPoint.step).where(MetricPoint.run_id == run.id).limit(1)).first()
    return "cut short" if some is not None else "stopped early"


def _state(session: Session, run: Run) -> dict[str, Any]:
    training = run.config.get("training", {})
    return {
        "STAGES": STAGES,
        "memory_name": _memory_name(run),
        "stages": progress.stages(run),
        "figures": progress.figures(session, run),
        "epochs": None if training.get("max_steps") else training.get("num_train_epochs"),
        "ahead": _ahead(session, run),
        "workers": any(alive for _, alive in workers.list_workers(session)),
        "attempts": attempts.of_run(session, run.id or 0),
    }


def _memory_name(run: Run) -> str:
    """On CPU it is that of the whole process, libraries included."""
    return "Memory (RSS)" if str(run.environment.get("device", "")).startswith("CPU") else "Memory"


def _ahead(session: Session, run: Run) -> int:
    """How many runs come first, the one that runs included."""
    place = tuple_(col(Run.queue_position), col(Run.id)) < (run.queue_position, run.id)
    first = or_(col(Run.status) == RunStatus.RUNNING, and_(col(Run.status) == RunStatus.QUEUED, place))
    return session.exec(select(func.count()).select_from(Run).where(first)).one()


def _outcome(session: Session, settings: Settings, run: Run, experiment: Experiment) -> dict[str, Any]:
    baseline = experiments.baselines(session, [experiment]).get(run.experiment_id)
    compared = outcome.settings_of(run, baseline)
    return {
        "comparisons": outcome.comparisons(run, outcome.base_metrics(session, run)),
        "against": outcome.against(settings, run, baseline),
        "costs": [*outcome.costs(run.resources or {}), *foretold.costs(run)],
        "baseline": baseline,
        "settings": compared,
        "main_settings": outcome.main_settings(compared),
        "environment": _pairs({name: value for name, value in run.environment.items() if name != "paths"}),
        "ways": computing.ways(run.environment),
        "remedies": remedies.remedies(run.error["code"], run.config) if run.error else [],
    }


def _origin(session: Session, settings: Settings, run: Run, experiment: Experiment, server: str) -> dict[str, Any]:
    """Where it comes from, and how to do it again."""
    dataset = session.get(Dataset, run.dataset_id) if run.dataset_id and run.origin != "imported" else None
    return {
        "lineage": lineage.of_run(session, run),
        "labels": LABELS,
        "reproduction": reproduce.reproduction(settings, run, dataset, experiment, server) if dataset else None,
    }


def _pairs(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names as they were recorded; what is nested, one line each."""
    found: list[tuple[str, str]] = []
    for name, value in environment.items():
        if isinstance(value, Mapping):
            found += [(inner, setting(text)) for inner, text in value.items()]
        else:
            found.append((name.replace("_", " "), setting(value)))
    return found


def _files(settings: Settings, run: Run) -> dict[str, Any]:
    assert run.id is not None
    found = artifacts.list_artifacts(settings, run.id)
    by_name = {item.name: item for item in found}
    return {"artifacts": found, "adapter": by_name.get("adapter.zip"), "has_config": "config.json" in by_name}
