"""What /compare answers with."""

from typing import Any

from pydantic import Field

from app.metrics import Direction
from app.web.api.shapes import Growing, Run, Shape


class ComparedSetting(Shape):
    name: str
    label: str
    unit: str
    values: dict[int, Any] = Field(description="By run id; a run from elsewhere may not have stated it.")
    differs: bool


class Delta(Growing):
    """A run less the baseline."""

    absolute: float
    relative: float | None = Field(description="A share of the baseline's value; null where that is 0.")
    interval: tuple[float, float] | None = Field(description="95 %, of `absolute`; null: the spread is unknown.")
    p_value: float | None
    p_adjusted: float | None = Field(description="After Holm's correction for all comparisons of the metric.")
    better: bool | None = Field(description="null: within noise after correction, or equal.")


class ComparedMetric(Shape):
    name: str
    short: str
    label: str
    unit: str
    direction: Direction | None
    values: dict[int, float]
    deltas: dict[int, Delta] = Field(description="Only of runs that compare with the baseline.")
    best: list[int]
    base: float | None = Field(description="Of the base model, where it is the same for all that compare.")


class ComparedResource(Shape):
    name: str
    label: str
    unit: str
    values: dict[int, Any]
    deltas: dict[int, float]
    differs: bool


class RecordedSeries(Shape):
    name: str
    label: str
    unit: str
    runs: list[int]


class Comparison(Growing):
    baseline: int
    runs: list[Run] = Field(description="The baseline first.")
    missing: list[int] = Field(description="Asked for, and not there.")
    verdict: str
    settings: list[ComparedSetting]
    metrics: list[ComparedMetric]
    resources: list[ComparedResource]
    series: list[RecordedSeries] = Field(description="What was recorded on the way, and by which runs.")
    apart: dict[int, str] = Field(description="By run id, why some or all of its metrics have no delta.")
