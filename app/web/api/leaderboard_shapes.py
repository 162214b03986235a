"""What the leaderboard answers with."""

from typing import Any

from pydantic import Field

from app.web.api.shapes import Listed, Run, Scores, Shape


class Column(Shape):
    name: str
    label: str
    unit: str
    aggregate: str = Field(description="Of a metric, whether its `last` value or its `best`.")
    direction: str | None = Field(description="Which way is better, if either is.")


class Base(Shape):
    baseline_key: str
    base_model: str
    quantization: str
    metrics: Scores


class Group(Shape):
    fingerprint: str | None
    perplexity_key: str | None
    import_id: int | None = Field(description="The import that the group is; null: measured here.")
    runs: int
    shares: str
    reason: str = Field(description="Why these are not ranked with the first group; empty for the first.")
    bases: list[Base]


class RowDelta(Shape):
    """A row less the pinned run."""

    absolute: float
    relative: float | None = Field(description="A share of the pinned run's value; null where that is 0.")
    interval: tuple[float, float] | None = Field(description="95 %, of `absolute`; null: the spread is unknown.")


class Replicates(Shape):
    runs: list[int] = Field(description="Runs that differ in nothing but their seed; `values` are their means.")
    spread: dict[str, float] = Field(description="Standard deviation over them, by column.")


class RankedRun(Run):
    group: int | None = Field(description="Its place in `groups`; null: no results yet.")
    rank: int | None = Field(description="Within its group, by the sorted metric; null where the sort ranks nothing.")
    best: list[str] = Field(description="Columns in which no comparable run is better.")
    values: dict[str, Any] = Field(description="By column.")
    deltas: dict[str, RowDelta] = Field(description="By column, against `baseline`; of what compares with it.")
    replicates: Replicates | None = Field(description="In a table of configurations, what the row stands for.")


class Leaderboard(Listed[RankedRun]):
    """`items` stand group by group."""

    sort: str
    columns: list[Column]
    groups: list[Group]
    unranked: list[RankedRun]
