"""Where a run comes from and what came of it: the run that it was cloned from, its clones, and its sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, func, select

from app.models import Run
from app.run_config import flatten
from app.status import RunStatus
from app.sweep import MAX_RUNS

# Of runs with more clones the newest are told.
MOST_CLONES = 50


@dataclass(frozen=True)
class Relative:
    """`changes` are the settings in which it differs, by dotted name: what they were there, and what they are here."""

    id: int
    name: str
    status: RunStatus
    changes: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Lineage:
    """`source` is None where it is deleted. `siblings` are the runs of the same sweep, this one among them."""

    source: Relative | None
    clones: Sequence[Relative]
    siblings: Sequence[Relative]


def of_run(session: Session, run: Run) -> Lineage:
    """`changes` always lead from the older run to the newer one; those of siblings lead away from this run."""
    source = session.get(Run, run.cloned_from) if run.cloned_from is not None else None
    newest = select(Run).where(Run.cloned_from == run.id).order_by(col(Run.id).desc()).limit(MOST_CLONES)
    return Lineage(
        _relative(source, source, run) if source else None,
        [_relative(clone, run, clone) for clone in session.exec(newest)],
        [_relative(other, run, other) for other in _siblings(session, run)],
    )


def to_api(run: Run, lineage: Lineage) -> dict[str, Any]:
    return {
        "cloned_from": run.cloned_from,
        "source": _shown(lineage.source) if lineage.source else None,
        "clones": [_shown(clone) for clone in lineage.clones],
        "sweep": run.sweep,
        "siblings": [_shown(other) for other in lineage.siblings],
    }


def _siblings(session: Session, run: Run) -> Sequence[Run]:
    """Runs of one sweep were stored together, so that their ids follow each other from the sweep's own on."""
    if not run.sweep:
        return []
    first = run.sweep["id"]
    near = select(Run).where(col(Run.id).between(first, first + MAX_RUNS - 1))
    return session.exec(near.where(func.json_extract(Run.sweep, "$.id") == first).order_by(col(Run.id))).all()


def _relative(run: Run, before: Run, after: Run) -> Relative:
    assert run.id is not None
    old, new = flatten(before.config), flatten(after.config)
    names = [name for name in new if old.get(name) != new[name]]
    return Relative(run.id, run.name, run.status, {name: (old.get(name), new[name]) for name in names})


def _shown(relative: Relative) -> dict[str, Any]:
    changes = {name: {"from": old, "to": new} for name, (old, new) in relative.changes.items()}
    return {"id": relative.id, "name": relative.name, "status": relative.status, "changes": changes}
