"""The tables. Rows are data: what may happen to them stands in the modules of plain functions beside this one."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ForeignKey, Index, MetaData
from sqlmodel import Field, SQLModel, String

from app import configuration
from app.db import UtcDateTime, now
from app.status import ErrandStatus, RunStatus

metadata: MetaData = SQLModel.metadata
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Json = dict[str, Any]

# Folders and links go by id: a new run must not find the checkpoints of a deleted one under its own.
IDS_ARE_NEVER_REUSED = {"sqlite_autoincrement": True}


# All that the leaderboard groups by, in its order: groups are counted without reading a row.
BOARD = ("status", "fingerprint", "import_id", "perplexity_key", "experiment_id", "configuration", "baseline_key")


def _time(**options: Any) -> Any:
    return Field(sa_type=UtcDateTime, **options)


def _cascade(column: str, **options: Any) -> Any:
    """A foreign key whose rows go when their parent goes."""
    return Field(foreign_key=column, ondelete="CASCADE", **options)


def _configuration(row: Any) -> str:
    """SQLAlchemy passes what knows the row that is being written."""
    return configuration.key(row.get_current_parameters()["config"])


class Dataset(SQLModel, table=True):
    """An imported data set; its rows are files in its folder, written before the row is."""

    __table_args__ = IDS_ARE_NEVER_REUSED

    id: int | None = Field(default=None, primary_key=True)
    name: str
    sha256: str
    format: str
    rows: int
    train_rows: int
    eval_rows: int
    columns: list[str] = Field(sa_type=JSON)
    skipped_rows: int = 0
    warnings: list[str] = Field(default_factory=list, sa_type=JSON)
    statistics: Json = Field(default_factory=dict, sa_type=JSON)
    size_bytes: int = 0
    created_at: datetime = _time(default_factory=now)


class Experiment(SQLModel, table=True):
    """A question that several runs answer."""

    __table_args__ = IDS_ARE_NEVER_REUSED

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    description: str = ""
    baseline_run_id: int | None = Field(
        default=None,
        sa_column=Column(ForeignKey("run.id", ondelete="SET NULL", use_alter=True), nullable=True),
    )
    created_at: datetime = _time(default_factory=now)


class ResultImport(SQLModel, table=True):
    """One table of finished runs brought in from elsewhere: its runs compare with each other and with no other."""

    id: int | None = Field(default=None, primary_key=True)
    source: str
    base: Json = Field(default_factory=dict, sa_type=JSON)
    setup: Json = Field(default_factory=dict, sa_type=JSON)
    created_at: datetime = _time(default_factory=now)


class Run(SQLModel, table=True):
    """One configuration, one adapter. `results`, `resources` and `error` have the API's shape."""

    __table_args__ = (
        Index(None, "status", "queue_position", "id"),
        Index(None, "experiment_id", "status"),
        Index(None, "dataset_id"),
        Index(None, "finished_at"),
        Index("ix_run_board", *BOARD),
        Index(None, "configuration"),
        Index(None, "cloned_from"),
        IDS_ARE_NEVER_REUSED,
    )

    id: int | None = Field(default=None, primary_key=True)
    experiment_id: int = Field(foreign_key="experiment.id")
    dataset_id: int | None = Field(default=None, foreign_key="dataset.id")
    name: str
    notes: str = ""
    tags: list[str] = Field(default_factory=list, sa_type=JSON)
    origin: str = "launched"
    import_id: int | None = Field(default=None, foreign_key="resultimport.id")
    config: Json = Field(sa_type=JSON)
    # app.configuration.key of `config`, filled in as the row is written.
    configuration: str | None = Field(default=None, sa_column_kwargs={"default": _configuration})
    created_at: datetime = _time(default_factory=now)

    status: RunStatus = Field(default=RunStatus.QUEUED, sa_type=String)
    stage: str | None = None
    queue_position: float = 0.0
    cancel_requested: bool = False
    fresh_start: bool = False
    attempt: int = 0
    started_at: datetime | None = _time(default=None)
    finished_at: datetime | None = _time(default=None)
    owner: str | None = None
    lease_boot: str | None = None
    lease_until: float | None = None
    # Queued, it is not to be claimed before; on the clock of app.leases.
    not_before_boot: str | None = None
    not_before: float | None = None
    # Attempts up to this one no longer count towards giving up: a person asked for another one.
    forgiven: int = 0
    # 2 after it ran out of memory: half the rows in a forward pass, twice as many passes in a step.
    batch_divisor: int = 1

    step: int = 0
    total_steps: int | None = None
    epoch: float = 0.0
    fraction: float = 0.0
    eta_seconds: float | None = None

    warnings: list[str] = Field(default_factory=list, sa_type=JSON)
    error: Json | None = Field(default=None, sa_type=JSON)
    results: Json | None = Field(default=None, sa_type=JSON)
    resources: Json | None = Field(default=None, sa_type=JSON)
    environment: Json = Field(default_factory=dict, sa_type=JSON)
    fingerprint: str | None = None
    perplexity_key: str | None = None
    baseline_key: str | None = None

    # The run whose settings it started from, which may be deleted since.
    cloned_from: int | None = None
    # What made it together with others: `{id, method, axes}`, the id alike in all of them.
    sweep: Json | None = Field(default=None, sa_type=JSON)
    # What POST /estimates said of it when it was launched, to stand beside what was measured.
    forecast: Json | None = Field(default=None, sa_type=JSON)


class Attempt(SQLModel, table=True):
    """One try at a run, from claim to end: what happened, in words, and as the code of its cause."""

    run_id: int = _cascade("run.id", primary_key=True)
    number: int = Field(primary_key=True)
    worker: str
    status: RunStatus = Field(default=RunStatus.RUNNING, sa_type=String)
    started_at: datetime = _time(default_factory=now)
    finished_at: datetime | None = _time(default=None)
    first_step: int = 0
    last_step: int = 0
    reason: str = ""
    cause: str | None = None
    died: bool = False


class RunValue(SQLModel, table=True):
    """A run's final and best value of a metric: what tables sort by."""

    __table_args__ = (Index(None, "name", "last", "run_id"), Index(None, "name", "best", "run_id"))

    run_id: int = _cascade("run.id", primary_key=True)
    name: str = Field(primary_key=True)
    last: float
    best: float


class MetricName(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)


class MetricPoint(SQLModel, table=True):
    """One point of a series. `time` is seconds of training, NULL `value` a value that was not finite."""

    __table_args__ = {"sqlite_with_rowid": False}

    run_id: int = _cascade("run.id", primary_key=True)
    name_id: int = Field(foreign_key="metricname.id", primary_key=True)
    step: int = Field(primary_key=True)
    value: float | None
    time: float
    epoch: float


class Baseline(SQLModel, table=True):
    """The base model's measurement under one `baseline_key`; its answers lie in a file of that name."""

    key: str = Field(primary_key=True)
    metrics: Json = Field(sa_type=JSON)
    created_at: datetime = _time(default_factory=now)


class Worker(SQLModel, table=True):
    """A worker process that has beaten its heart; alive while `beat_until` of this boot lies ahead."""

    name: str = Field(primary_key=True)
    hostname: str
    pid: int
    version: str
    device: str
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    run_id: int | None = None
    boot: str
    beat_until: float
    started_at: datetime = _time(default_factory=now)


class IdempotentRequest(SQLModel, table=True):
    """What a repeated POST with the same Idempotency-Key is answered with."""

    key: str = Field(primary_key=True)
    path: str = Field(primary_key=True)
    body_sha256: str
    response: Json = Field(sa_type=JSON)
    created_at: datetime = _time(default_factory=now)


class SavedView(SQLModel, table=True):
    """A table of runs by name: the query of its address, in which all of its state is."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    query: str
    created_at: datetime = _time(default_factory=now)


class Errand(SQLModel, table=True):
    """A small job that a worker does beside training: a preview, a forecast, an answer, an export.

    `waits_for` says in words why it has not begun; `answer` grows while a worker is at it. See app.errands.
    """

    __table_args__ = (Index(None, "status"), Index(None, "run_id"), IDS_ARE_NEVER_REUSED)

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    request: Json = Field(sa_type=JSON)
    run_id: int | None = _cascade("run.id", default=None)
    status: ErrandStatus = Field(default=ErrandStatus.QUEUED, sa_type=String)
    waits_for: str | None = None
    answer: Json | None = Field(default=None, sa_type=JSON)
    error: Json | None = Field(default=None, sa_type=JSON)
    tries: int = 0
    owner: str | None = None
    lease_boot: str | None = None
    lease_until: float | None = None
    created_at: datetime = _time(default_factory=now)
    finished_at: datetime | None = _time(default=None)
