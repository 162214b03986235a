"""What /imports and a report answer with."""

from typing import Any

from pydantic import Field

from app.web.api.shapes import Experiment, Growing, Run, Shape


class ImportedColumn(Shape):
    name: str
    target: str | None = Field(description="The setting, metric or cost that it is taken for; null: left out.")
    label: str | None


class StatedRun(Shape):
    name: str
    notes: str
    settings: dict[str, Any]
    metrics: dict[str, float]
    resources: dict[str, float]


class ImportPreview(Shape):
    columns: list[ImportedColumn]
    runs: list[StatedRun]
    warnings: list[str]


class Imported(Shape):
    experiment: Experiment
    runs: list[Run]
    warnings: list[str]


class Finding(Growing):
    """One matched comparison; `better` is null within noise, `interval` where no spread is known."""

    id: str
    factor: str
    linked: list[str]
    baseline_run: int
    run: int
    metric: str
    value_from: float
    value_to: float
    relative_change: float | None
    better: bool | None
    interval: tuple[float, float] | None
    memory_change_bytes: float | None
    time_change_seconds: float | None
    at_edge: bool
    title: str
    text: str


class Recommendation(Shape):
    text: str
    because: list[str] = Field(description="Ids of the findings that it rests on.")


class NextStep(Growing):
    text: str
    config_changes: dict[str, Any]
    of: int = Field(description="The run whose configuration the changes are set on.")
    seeds: list[int]


class Report(Growing):
    """The report of a study. Every sentence follows from its figures."""

    experiment: dict[str, Any]
    setup: dict[str, Any]
    metric: str
    table: list[dict[str, Any]]
    best: dict[str, Any] | None
    base_vs_finetuned: dict[str, Any]
    findings: list[Finding]
    overfitting: list[dict[str, Any]]
    trade_offs: dict[str, Any]
    memory: list[dict[str, Any]]
    time: list[dict[str, Any]]
    recommendations: list[Recommendation]
    next: list[NextStep]
    caveats: list[str]
