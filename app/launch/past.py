"""What finished runs tell of those to come, and on which hardware the next will run.

Those that went through in one go, the newest; what each took, with the settings and rows that it took it for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlmodel import Session, col, select

from app import leases, run_config
from app.errors import Invalid
from app.launch.passes import Lengths
from app.models import Run, Worker
from app.run_config import RunConfig, flatten
from app.status import RunStatus

# The newest finished runs that are looked at.
RECENT = 300
# What a run must have measured to tell anything.
MEASURED = ("seconds_per_1000_examples", "train_seconds", "train_rows")


@dataclass(frozen=True)
class Past:
    """A finished run: `flat` are its settings, `seconds` from start to end, `forecast` is what was said of it."""

    device: str
    flat: Mapping[str, Any]
    seconds: float
    resources: Mapping[str, Any]
    held_out: int = 0
    forecast: Mapping[str, Any] = field(default_factory=dict)

    def has_base(self, name: str, revision: str | None) -> bool:
        """Whether it trained this base, whatever that was stored in."""
        return (self.flat.get("model.base_model"), self.flat.get("model.revision")) == (name, revision)

    @cached_property
    def config(self) -> RunConfig | None:
        """None for one of a version whose settings were others."""
        try:
            return run_config.parse(run_config.nest(self.flat))
        except Invalid:
            return None

    @cached_property
    def lengths(self) -> Lengths | None:
        told = self.resources.get("row_tokens")
        return Lengths(tuple(told["quantiles"]), told["scored"]) if told else None

    @property
    def train_rows(self) -> int:
        return int(self.resources["train_rows"])

    @property
    def seconds_a_row(self) -> float:
        """Of training, each time that it is seen."""
        return float(self.resources["seconds_per_1000_examples"]) / 1000

    @property
    def baseline_seconds(self) -> float:
        """0 where the base's measurement was known."""
        return float(self.resources.get("baseline_seconds") or 0)

    @property
    def evaluation_seconds(self) -> float:
        return float(self.resources.get("evaluation_seconds") or 0)

    @property
    def start_seconds(self) -> float:
        """All that is neither training nor evaluation: libraries, rows and base loaded, results saved."""
        return max(0.0, self.seconds - float(self.resources["train_seconds"]) - self.evaluation_seconds)

    @property
    def startup_seconds(self) -> float | None:
        """Of these, until its process was there with everything loaded; an older run does not say."""
        return self.resources.get("startup_seconds")

    @property
    def peak_memory(self) -> int | None:
        return self.resources.get("peak_memory_bytes")


def hardware(session: Session) -> str | None:
    """What the next run will run on: the device of a worker that lives, else that of the newest finished run."""
    if worker := living(session):
        return _device(worker.device)
    return next((run.device for run in finished(session)), None)


def living(session: Session) -> Worker | None:
    workers = session.exec(select(Worker).order_by(col(Worker.name))).all()
    return next((worker for worker in workers if leases.holds(worker.boot, worker.beat_until)), None)


def finished(session: Session) -> list[Past]:
    """Of the newest runs, those that went through in one go, newest first."""
    runs = session.exec(
        select(Run)
        .where(Run.status == RunStatus.COMPLETED, Run.origin == "launched", Run.attempt <= 1)
        .order_by(col(Run.id).desc())
        .limit(RECENT)
    )
    return list(_past(runs))


def _past(runs: Iterable[Run]) -> Iterable[Past]:
    for run in runs:
        resources = run.resources or {}
        if not all(resources.get(name) for name in MEASURED) or run.started_at is None or run.finished_at is None:
            continue
        yield Past(
            _device(resources.get("device") or ""),
            flatten(run.config),
            (run.finished_at - run.started_at).total_seconds(),
            resources,
            int((run.results or {}).get("eval_rows") or 0),
            run.forecast or {},
        )


def _device(name: str) -> str:
    """Workers and runs call a CPU by other words (its model, its threads); one machine has one kind of it."""
    return "CPU" if name.startswith("CPU") else name
