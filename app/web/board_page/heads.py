"""The heads of the table: what each column is called where there is little room, and how its cells are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from app import metrics
from app.board.filter import kinds
from app.board.run_columns import Column
from app.metrics import Metric
from app.web import settings_view

Kind = Literal["name", "number", "word", "metric", "cost", "moment", "text", "note"]

BETTER = {"lower": "↓ lower", "higher": "↑ higher", None: ""}
LONGEST_LINE = 10
NAMES_OF_ROWS = "data.dataset"  # stored as an id, shown by its name
MOMENTS = ("created_at", "started_at", "finished_at")


@dataclass(frozen=True)
class Head:
    """`title` is broken in two where it is long; `short` stands before the value on a phone."""

    column: Column
    kind: Kind
    title: tuple[str, ...]
    sub: str
    short: str
    metric: Metric | None = None
    has_intervals: bool = False  # the next column draws them

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def is_measured(self) -> bool:
        return self.kind in ("metric", "cost")

    @property
    def css(self) -> str:
        """The class of the head's cell: numbers stand at the right, and so do their heads."""
        return {"note": "note", "word": "", "text": "", "name": "", "moment": "num"}.get(self.kind, "num")


@dataclass(frozen=True)
class Block:
    """The first neighbours that a run without a result leaves empty: what becomes of it stands there instead."""

    first: int
    count: int
    span: int  # in cells

    @classmethod
    def of(cls, shown: Sequence[Head]) -> "Block":
        first = next((place for place, head in enumerate(shown) if head.is_measured), len(shown))
        empty = list(takewhile(lambda head: head.is_measured, shown[first:]))
        return cls(first, len(empty), len(empty) + sum(head.has_intervals for head in empty))

    def __contains__(self, place: int) -> bool:
        return self.first <= place < self.first + self.count


def heads(columns: Sequence[Column]) -> list[Head]:
    """The first metric that bases are compared by draws its intervals: their zero lines join into one."""
    compared = {metric.name for metric in metrics.COMPARED}
    drawn = next((column.name for column in columns if column.name in compared), None)
    return [_head(column, column.name == drawn) for column in columns]


def _head(column: Column, has_intervals: bool) -> Head:
    metric = metric_of(column)
    return Head(
        column,
        _kind(column),
        ("Run",) if column.name == "name" else broken(metric.label if metric else column.label),
        _sub(column, metric) + (" is better" if has_intervals and metric and metric.direction else ""),
        settings_view.COLUMNS.get(column.name, column.label),
        metric,
        has_intervals,
    )


def metric_of(column: Column) -> Metric | None:
    return metrics.BY_NAME[column.metric] if column.kind == "metric" else None


def _kind(column: Column) -> Kind:
    if column.kind == "metric":
        return "metric"
    if column.kind == "resource":
        return "text" if column.name == "device" else "cost"
    if column.kind == "setting":
        return "number" if kinds.kind(column) == "number" and column.name != NAMES_OF_ROWS else "word"
    if column.name in MOMENTS:
        return "moment"
    return {"name": "name", "notes": "note", "id": "number"}.get(column.name, "text")  # type: ignore[return-value]


def _sub(column: Column, metric: Metric | None) -> str:
    """What makes a number readable: its unit, which way is better, and whether it is the best of a run or its last."""
    if metric is None:
        return column.unit if column.kind == "setting" else ""
    which = "best" if column.aggregate == "best" else ""
    unit = "" if metric.unit == "bytes" else metric.unit
    return ", ".join(part for part in (which, unit, BETTER[metric.direction]) if part)


def broken(label: str) -> tuple[str, ...]:
    """In two lines where it is long, at the space nearest to its middle."""
    spaces = [place for place, letter in enumerate(label) if letter == " "]
    if not spaces or (len(label) <= LONGEST_LINE and not label.startswith("LoRA")):
        return (label,)
    middle = min(spaces, key=lambda place: abs(place - len(label) / 2))
    return label[:middle], label[middle + 1 :]
