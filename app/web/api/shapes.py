"""What the API answers with: the models behind its documentation, checked on every answer."""

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from app.status import RunStatus

T = TypeVar("T")


class Shape(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class Growing(Shape):
    """Results and resources: later versions add fields, and old clients must not lose them."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class Listed(Shape, Generic[T]):
    items: list[T]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last one.")
    total: int


class FieldProblem(Shape):
    field: str
    message: str


class Problem(Shape):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem]


class ExperimentName(Shape):
    id: int
    name: str


class Progress(Shape):
    step: int
    total_steps: int | None
    epoch: float
    fraction: float
    eta_seconds: float | None


class RunError(Shape):
    code: str
    title: str
    detail: str
    hint: str


class Scores(Growing):
    perplexity: float | None = None
    bleu: float | None = None
    rouge_l: float | None = None
    loss: float | None = None


class Improvement(Growing):
    """Relative to the base: -0.606 for a perplexity that fell from 45.2 to 17.8."""

    perplexity: float | None = None
    bleu: float | None = None
    rouge_l: float | None = None


class Results(Growing):
    base: Scores | None
    finetuned: Scores
    improvement: Improvement | None
    eval_rows: int | None
    eval_tokens: int | None
    fingerprint: str | None
    perplexity_key: str | None
    baseline_key: str | None


class Resources(Growing):
    device: str | None = None
    memory_kind: str | None = Field(None, description="`cuda`: the allocator's memory; `rss`: the process's, on CPU.")
    peak_memory_bytes: int | float | None = None
    mean_memory_bytes: int | float | None = None
    train_seconds: float | None = None
    seconds_per_epoch: float | None = None
    seconds_per_1000_rows: float | None = None
    seconds_per_1000_examples: float | None = None
    evaluation_seconds: float | None = None
    tokens_per_second: float | None = None
    trainable_parameters: int | None = None
    total_parameters: int | None = None
    effective_batch_size: int | None = None


class Run(Shape):
    id: int
    name: str
    origin: str = Field(description="`launched` here or `imported`.")
    import_id: int | None = Field(description="Imported runs compare within one import.")
    experiment: ExperimentName
    status: RunStatus
    stage: str | None = Field(description="What a running run is busy with; for people.")
    tries_again_in: float | None = Field(None, description="Seconds until a queued run's pause is over; null: none.")
    cancel_requested: bool
    attempt: int
    warnings: list[str]
    progress: Progress
    config: dict[str, Any] = Field(description="A RunConfig; of an imported run only what was stated.")
    notes: str
    tags: list[str]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: RunError | None
    results: Results | None
    resources: Resources | None
    environment: dict[str, Any] = Field(description="Versions and device: what it takes to run this again.")
    forecast: dict[str, Any] | None = Field(description="What POST /estimates said of it when it was launched.")
    cloned_from: int | None = Field(description="The run whose settings it started from; it may be deleted since.")
    sweep: dict[str, Any] | None = Field(description="What made it with others: `{id, method, axes}`, alike in all.")


class Attempt(Shape):
    number: int
    status: RunStatus
    worker: str
    started_at: datetime
    finished_at: datetime | None
    seconds: float
    first_step: int
    last_step: int | None = Field(description="null while it runs.")
    cause: str | None = Field(description="A code for what it ended of; null: it runs or completed.")
    reason: str = Field(description="The same in words.")


class Launched(Shape):
    runs: list[Run]


class PlannedRun(Shape):
    name: str
    notes: str
    changes: dict[str, Any] = Field(description="What differs from `config`, by dotted name.")
    effective_batch_size: int | None = Field(description="Rows in a step; null where its size is given in tokens.")
    estimated_seconds: float | None
    estimated_memory_bytes: int | None
    warnings: list[str]


class Expansion(Shape):
    """What a sweep would launch: nothing is stored."""

    runs: list[PlannedRun]
    notes: list[str] = Field(description="Runs that are identical in effect, and why.")
    estimated_seconds: float | None = Field(description="Of all with an estimate; null: no such run has finished here.")


class Experiment(Shape):
    id: int
    name: str
    description: str
    baseline_run: int | None = Field(description="The first run unless set.")
    runs: int
    statuses: dict[str, int]
    created_at: datetime


class Queue(Listed[Run]):
    running: list[Run]


class Series(Shape):
    name: str
    steps: list[int]
    values: list[float | None] = Field(description="null: not a finite number.")
    times: list[float] = Field(description="Seconds of training.")
    epochs: list[float]
    points: int = Field(description="How many there are after `after`.")
    sampled: bool = Field(description="Only some of them are here; peaks and dips are kept.")


class AllSeries(Shape):
    series: list[Series]


class LogLines(Shape):
    lines: list[str]
    offsets: list[int] = Field(description="Where each line begins in the file, in bytes.")
    next: int = Field(description="Give it as `after` for what comes next.")
    size: int


RowScores = dict[str, bool | float | list[int] | None]


class Scored(Shape):
    """`bleu` is the list of counts that corpus BLEU sums over rows: a row alone has no BLEU."""

    base: RowScores
    finetuned: RowScores


class Prediction(Growing):
    row: int
    prompt: str
    reference: str
    base: str
    finetuned: str
    prompt_tokens: list[int]
    reference_tokens: list[int]
    scores: Scored


class Artifact(Shape):
    name: str
    size_bytes: int
    sha256: str
    media_type: str
    step: int | None = Field(description="Of which step it is, where the run did not come to its end.")
