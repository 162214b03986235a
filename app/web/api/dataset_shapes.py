"""What the API answers of data sets and base models."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from app.web.api.shapes import Shape


class Dataset(Shape):
    id: int
    name: str
    sha256: str = Field(description="Of the imported file.")
    format: str
    rows: int
    train_rows: int = Field(description="In the default split.")
    eval_rows: int
    columns: list[str]
    skipped_rows: int
    warnings: list[str]
    size_bytes: int
    created_at: datetime
    runs: int = Field(description="How many runs use it; one in use cannot be deleted.")
    statistics: dict[str, Any] = Field(
        description="Lengths in characters with histograms, turns, groups, duplicates, leakage and near duplicates."
    )


class Turn(Shape):
    role: str
    content: str


class DatasetRow(Shape):
    row: int = Field(description="In file order, from 0.")
    side: Literal["train", "held_out"] = Field(description="In the default split.")
    prompt: str
    instruction: str
    input: str
    response: str = Field(description="Of a conversation the assistant's last turn.")
    messages: list[Turn] = Field(description="Empty for a pair.")
    group: str | None


class BaseModel(Shape):
    id: str = Field(description="What to put into `model.base_model`.")
    label: str
    kind: Literal["sample", "folder", "hub"]
    context: int | None = Field(description="Tokens that it reads at once; null: not known here.")
    parameters: int | None
    architecture: str | None
    problem: str | None = Field(description="Why it cannot be used.")
