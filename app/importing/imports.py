"""Results from elsewhere: a table of finished runs becomes runs marked `imported`, with only what was stated."""

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session

from app import metrics
from app.db import now
from app.errors import FieldError, Invalid
from app.experiments import find_or_add
from app.importing.result_tables import LARGEST, StatedRun, StatedTable
from app.metrics import COMPARED, relative_change
from app.models import Experiment, ResultImport, Run, RunValue
from app.run_config import nest
from app.status import RunStatus

# What `setup` may state of all runs at once, by the setting that it is.
SETUP: dict[str, tuple[str | None, type[str | int]]] = {
    "base_model": ("model.base_model", str),
    "dataset": (None, str),
    "train_rows": (None, int),
    "gradient_accumulation_steps": ("training.gradient_accumulation_steps", int),
}

# What only a run of our own has.
NOT_KNOWN = ("eval_rows", "eval_tokens", "fingerprint", "perplexity_key", "baseline_key")


def import_table(
    session: Session,
    table: StatedTable,
    *,
    experiment: int | str,
    source: str,
    base: Mapping[str, Any] | None = None,
    setup: Mapping[str, Any] | None = None,
) -> tuple[Experiment, list[Run]]:
    """Store every run of the table, completed; `base` are the base model's metrics by their short names."""
    check(base or {}, setup or {})
    found = find_or_add(session, experiment)
    origin = ResultImport(source=source, base=dict(base or {}), setup=dict(setup or {}))
    session.add(origin)
    session.flush()
    assert found.id is not None
    runs = [_run(found.id, origin, stated) for stated in table.runs]
    session.add_all(runs)
    session.flush()
    for run, stated in zip(runs, table.runs, strict=True):
        session.add_all(_values(run, stated))
    session.commit()
    return found, runs


def check(base: Mapping[str, Any], setup: Mapping[str, Any]) -> None:
    """Raises Invalid by the dotted name of each part that is not understood."""
    known = {metric.short for metric in COMPARED}
    errors = [FieldError(f"base.{name}", "There is no such metric") for name in base if name not in known]
    errors += [FieldError(f"base.{n}", "This is a number") for n, v in base.items() if n in known and not _number(v)]
    errors += [FieldError(f"setup.{name}", "There is no such part") for name in setup if name not in SETUP]
    errors += [
        FieldError(f"setup.{name}", "A whole number, above 0" if kind is int else "A text")
        for name, (_, kind) in SETUP.items()
        if setup.get(name) is not None and not _fits(setup[name], kind)
    ]
    if errors:
        raise Invalid(errors)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _fits(value: Any, kind: type[str | int]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and (isinstance(value, str) or 0 < value <= LARGEST)


def _run(experiment_id: int, origin: ResultImport, stated: StatedRun) -> Run:
    shared = {name: origin.setup[part] for part, (name, _) in SETUP.items() if name and origin.setup.get(part)}
    base = {m.short: origin.base.get(m.short) for m in COMPARED}
    tuned = {m.short: stated.metrics.get(m.short) for m in COMPARED}
    return Run(
        experiment_id=experiment_id,
        name=stated.name,
        notes=stated.notes,
        origin="imported",
        import_id=origin.id,
        config=nest({**shared, **stated.settings}),
        status=RunStatus.COMPLETED,
        finished_at=now(),
        fraction=1.0,
        results={
            "base": base,
            "finetuned": tuned,
            "improvement": {name: relative_change(base[name], tuned[name]) for name in tuned},
            **dict.fromkeys(NOT_KNOWN),
        },
        resources=dict(stated.resources),
    )


def _values(run: Run, stated: StatedRun) -> list[RunValue]:
    """What tables sort by."""
    assert run.id is not None
    return [
        RunValue(run_id=run.id, name=metrics.BY_SHORT[short].name, last=value, best=value)
        for short, value in stated.metrics.items()
    ]
