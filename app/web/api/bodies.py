"""What callers send: nothing is guessed, and an unknown field is an error."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.db import MAX_ID
from app.run_config import RunConfig

RowId = Annotated[int, Field(ge=1, le=MAX_ID)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _strictly(value: Any) -> RunConfig:
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
    config: Annotated[RunConfig, BeforeValidator(_strictly)]


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


class QueueOrder(Body):
    runs: list[RowId] = Field(min_length=1, description="These first, in this order; the others follow as they are.")
