"""Everything that the templates of a run's page are given."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import and_, or_, tuple_
from sqlmodel import Session, col, func, select

from app import artifacts, attempts, experiments, logs, run_state, runs, workers
from app.models import Dataset, Experiment, MetricPoint, ResultImport, Run
from app.series import Series, read_series
from app.settings import Settings
from app.status import ENDED, STAGES, RunStatus
from app.web.numbers import setting
from app.web.run_page import answers, curves, log, outcome, progress, remedies, small_charts, values

# Of each series, for what the server draws of it.
DRAWN_POINTS = 800


def build(
    session: Session, settings: Settings, run_id: int, *, order: str = "", offset: int = 0, keep: bool = False
) -> dict[str, Any]:
    """`keep`: leave out what the page's script keeps up itself."""
    run, experiment = runs.get_with_experiment(session, run_id)
    return {
        **_identity(session, run, experiment),
        **_state(session, run),
        **_outcome(session, settings, run, experiment),
        **_files(settings, run),
        "answers": answers.answers(settings, run, order, offset),
        "orders": [(name, text) for name, (text, _) in answers.ORDERS.items()],
        "keep": keep,
        **({} if keep else _course(session, settings, run)),
    }


def progress_of(session: Session, run_id: int) -> dict[str, Any]:
    run = runs.get_run(session, run_id)
    return {"run": run, "layout": _layout(session, run), **_state(session, run)}


def values_of(session: Session, run_id: int) -> dict[str, Any]:
    run = runs.get_run(session, run_id)
    return {"run": run, "values": values.values(session, run_id, _series(session, run_id))}


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
        "costs": outcome.costs(run.resources or {}),
        "baseline": baseline,
        "settings": compared,
        "main_settings": outcome.main_settings(compared),
        "environment": _pairs(run.environment),
        "command": _command(run, experiment),
        "remedies": remedies.remedies(run.error["code"], run.config) if run.error else [],
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


def _command(run: Run, experiment: Experiment) -> str:
    return f'tuneboard launch config.json --experiment "{experiment.name}" --name "{run.name}, again"'


def _files(settings: Settings, run: Run) -> dict[str, Any]:
    assert run.id is not None
    found = artifacts.list_artifacts(settings, run.id)
    by_name = {item.name: item for item in found}
    return {"artifacts": found, "adapter": by_name.get("adapter.zip"), "has_config": "config.json" in by_name}


def _course(session: Session, settings: Settings, run: Run) -> dict[str, Any]:
    """Curves and log as they are when the page is made; a script goes on from there."""
    assert run.id is not None
    series = _series(session, run.id)
    train, held_out, validation = (series.get(name) for name in small_charts.LOSSES)
    tail = logs.tail(settings, run.id, log.SHOWN_LINES)
    return {
        "loss": curves.loss_chart(train, held_out, run.total_steps, validation),
        "sampled": [found for found in series.values() if found.sampled],
        "values": values.values(session, run.id, series),
        "small_charts": small_charts.small_charts(series, run.total_steps, ended=run.status in ENDED),
        "log": log.lines(tail.lines),
        "log_next": tail.next,
        "log_is_cut": len(tail.lines) == log.SHOWN_LINES,
    }


def _series(session: Session, run_id: int) -> dict[str, Series]:
    return {found.name: found for found in read_series(session, run_id, max_points=DRAWN_POINTS)}
