"""What the training child tells the worker: one JSON object a line over a pipe, `event` names its kind."""

from enum import IntEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Exit(IntEnum):
    """How a child ends that ends by itself."""

    DONE = 0
    FAILED = 1  # and has said why with a Failure
    ORPHANED = 3  # its worker was gone before it began
    LOCKED = 4  # another process holds the run
    STOPPED = 5  # asked to stop by SIGTERM; what could be kept is in a checkpoint


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Stage(Message):
    event: Literal["stage"] = "stage"
    name: str


class Progress(Message):
    event: Literal["progress"] = "progress"
    step: int
    total_steps: int
    epoch: float
    eta_seconds: float | None = None


class Points(Message):
    """New points of several series at one optimizer step; `time` is seconds of training so far."""

    event: Literal["points"] = "points"
    step: int
    epoch: float
    time: float
    values: dict[str, float | None]


class Log(Message):
    event: Literal["log"] = "log"
    message: str
    level: Literal["info", "warning", "error"] = "info"


class Warn(Message):
    """A sentence that belongs beside the results for ever, not only in the log."""

    event: Literal["warn"] = "warn"
    message: str


class Environment(Message):
    """Versions, device, thread count, model commit: what it takes to run this again."""

    event: Literal["environment"] = "environment"
    values: dict[str, Any]


class BaselineMeasured(Message):
    """The base model's metrics under a new `baseline_key`; its answers lie in the baselines folder."""

    event: Literal["baseline"] = "baseline"
    key: str
    metrics: dict[str, float | None]


class Alive(Message):
    """Work goes on, with nothing to tell of it: a long evaluation, the loading of a large model."""

    event: Literal["alive"] = "alive"


class Result(Message):
    """`results` and `resources` of the run, in the API's shape."""

    event: Literal["result"] = "result"
    results: dict[str, Any]
    resources: dict[str, Any]


class Downloaded(Message):
    """The download step's one result: the folder of a base model and the hub's commit that it is."""

    event: Literal["downloaded"] = "downloaded"
    path: str
    commit: str


class Failure(Message):
    event: Literal["failure"] = "failure"
    code: str
    title: str
    detail: str
    hint: str


Event = Annotated[
    Stage | Progress | Points | Log | Warn | Environment | BaselineMeasured | Alive | Result | Downloaded | Failure,
    Field(discriminator="event"),
]
_event: TypeAdapter[Event] = TypeAdapter(Event)


def parse_event(line: str | bytes) -> Event:
    """One line of the pipe; raises pydantic.ValidationError for anything else."""
    return _event.validate_json(line)
