"""What finished runs tell of those to come: how long runs of a kind take, and on which hardware the next will be.

A kind is what time per example depends on most: base model, quantisation, longest row, device. Where no run of a kind
has finished here nothing is said of its time, rather than a guess.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from sqlmodel import Session, col, select

from app import leases
from app.models import Run, Worker
from app.run_config import RunConfig, flatten
from app.status import RunStatus

# The newest finished runs that are looked at.
RECENT = 300

# Settings that runs of a kind share.
OF_A_KIND = ("model.base_model", "quantization.method", "data.max_length")


@dataclass(frozen=True)
class Kind:
    settings: tuple[object, ...]
    device: str

    @classmethod
    def of(cls, config: RunConfig, device: str) -> "Kind":
        flat = flatten(config.model_dump())
        return cls(tuple(flat[name] for name in OF_A_KIND), device)

    def has_base_of(self, other: "Kind") -> bool:
        """Whether both train the same base, quantised alike, on the same hardware."""
        return self.device == other.device and self.settings[:2] == other.settings[:2]


@dataclass(frozen=True)
class Past:
    """A finished run; `other_seconds` is all of its time but the training: loading, evaluating, saving.

    `peak_memory` is in bytes, `longest` in tokens, None where it was not measured. `forecast` is what was said of it.
    """

    kind: Kind
    seconds_per_1000_examples: float
    other_seconds: float
    seconds: float = 0.0
    config: Mapping[str, Any] = field(default_factory=dict)
    peak_memory: int | None = None
    longest: int | None = None
    forecast: Mapping[str, Any] = field(default_factory=dict)


def examples(config: RunConfig, train_rows: int) -> float:
    """Rows seen in training, each as often as it is seen."""
    training = config.training
    if training.max_steps is not None:
        return training.max_steps * training.effective_batch_size
    return training.num_train_epochs * train_rows


def seconds(past: Sequence[Past], kind: Kind, seen: float) -> float | None:
    """The middle of what finished runs of this kind took for as many examples; None without such a run."""
    same = [run for run in past if run.kind == kind]
    if not same:
        return None
    return median(r.seconds_per_1000_examples for r in same) * seen / 1000 + median(r.other_seconds for r in same)


def hardware(session: Session) -> str | None:
    """What the next run will run on: the device of a worker that lives, else that of the newest finished run."""
    if worker := living(session):
        return _device(worker.device)
    return next((run.kind.device for run in finished(session)), None)


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
        rate, trained = resources.get("seconds_per_1000_examples"), resources.get("train_seconds")
        if rate is None or trained is None or run.started_at is None or run.finished_at is None:
            continue
        flat = flatten(run.config)
        kind = Kind(tuple(flat.get(name) for name in OF_A_KIND), _device(resources.get("device") or ""))
        seconds = (run.finished_at - run.started_at).total_seconds()
        yield Past(
            kind,
            rate,
            max(0.0, seconds - trained),
            seconds,
            run.config,
            resources.get("peak_memory_bytes"),
            resources.get("longest_row_tokens"),
            run.forecast or {},
        )


def _device(name: str) -> str:
    """Workers and runs call a CPU by other words (its model, its threads); one machine has one kind of it."""
    return "CPU" if name.startswith("CPU") else name
