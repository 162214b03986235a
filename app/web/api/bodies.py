"""What callers send: nothing is guessed, and an unknown field is an error."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from app import json_text, sweep
from app.db import MAX_ID
from app.run_config import RunConfig
from app.sweep import Named, Plan, Variant

RowId = Annotated[int, Field(ge=1, le=MAX_ID)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _can_be_kept(cls, value: Any) -> Any:
        """JSON can spell texts that neither the database nor any answer can hold."""
        place = json_text.unstorable(value)
        if place is not None:
            raise ValueError(f"{json_text.shown(place)}: This {json_text.HALF_A_PAIR}")
        return value


def strictly(value: Any) -> RunConfig:
    return RunConfig.model_validate(value, strict=True)


def _id_or_name(value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("experiment: Give an id (a whole number) or a name (text)")  # noqa: TRY004 - pydantic's way
    return value


class Launch(Body):
    experiment: Annotated[int | str, BeforeValidator(_id_or_name)] = Field(
        description="An id, or a name: created if it is new."
    )
    name: str | None = None
    notes: str = ""
    tags: list[str] = []
    config: Annotated[RunConfig, BeforeValidator(strictly)]
    cloned_from: RowId | None = Field(None, description="The run whose settings it started from, for its lineage.")


class SweepRun(Body):
    name: str
    notes: str = ""
    set: dict[str, Any] = Field({}, description='What it changes of `config`, by dotted name: {"lora.r": 4}.')


class Sweep(Body):
    """Either axes with a method, or a list of named runs."""

    experiment: Annotated[int | str, BeforeValidator(_id_or_name)] = Field(
        description="An id, or a name: created if it is new."
    )
    config: Annotated[RunConfig, BeforeValidator(strictly)]
    axes: dict[str, list[Any] | dict[str, Any]] = Field(
        {}, description='By dotted name, values or a range: {"low", "high", "n", "scale": "linear" or "log"}.'
    )
    method: Literal["grid", "one_at_a_time", "random"] = "grid"
    max_runs: int | None = Field(None, ge=1, description="A random search makes as many; else no more are made.")
    linked: list[list[str]] = Field([], description="Fields that keep their ratio while one of them is varied.")
    seeds: list[int] = Field([], description="Each run once with each of them.")
    runs: list[SweepRun] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_axes = self.axes or self.linked or self.seeds or self.max_runs is not None
        if self.runs is not None and by_axes:
            raise ValueError("runs: Give a list of runs, or axes with what goes with them, not both")
        return self

    def variants(self) -> list[Variant]:
        if self.runs is not None:
            return sweep.named(self.config, [Named(run.name, run.notes, run.set) for run in self.runs])
        plan = Plan(self.axes, self.method, self.max_runs, self.linked, self.seeds)
        return sweep.expand(self.config, plan)


class RunChanges(Body):
    name: str = ""
    notes: str = ""
    tags: list[str] = []


class Retry(Body):
    fresh: bool = Field(False, description="From zero instead of the last good checkpoint.")


class BulkAction(Body):
    """`delete` needs every run to have ended; `tag` adds and removes tags."""

    ids: list[RowId] = Field(min_length=1, max_length=1000)
    action: Literal["delete", "tag"]
    add: list[str] = []
    remove: list[str] = []


class NewExperiment(Body):
    name: str
    description: str = ""


class ExperimentChanges(Body):
    name: str = ""
    description: str = ""
    baseline_run: RowId | None = Field(None, description="A run of this experiment; null: the first one.")


class Append(Body):
    dataset: RowId = Field(description="The data set whose rows follow.")
    name: str = Field("", description="Else the names of both.")


class QueueOrder(Body):
    runs: list[RowId] = Field(min_length=1, description="These first, in this order; the others follow as they are.")
