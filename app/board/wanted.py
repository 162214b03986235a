"""What is asked of a table of runs: which runs, as which rows, in which order, with which columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import ColumnElement
from sqlmodel import col

from app import metrics
from app.board.run_columns import Column, column, parse_sort
from app.board.run_filter import RunFilter
from app.models import Run
from app.status import RunStatus


@dataclass(frozen=True)
class Wanted:
    runs: RunFilter
    by_configuration: bool
    sort: str
    columns: Sequence[Column]

    @cached_property
    def by(self) -> Column:
        return parse_sort(self.sort)[0]

    @cached_property
    def descending(self) -> bool:
        return parse_sort(self.sort)[1]

    @property
    def ranks(self) -> bool:
        """Whether the order says which is better."""
        return self.by.direction is not None and self.descending == (self.by.direction == "higher")

    @cached_property
    def compared(self) -> tuple[Column, ...]:
        """The columns of which the best is marked: the results, and those of their best values that are shown."""
        shown = (shown for shown in self.columns if shown.metric in {metric.name for metric in metrics.COMPARED})
        return tuple(dict.fromkeys([*(column(metric.name) for metric in metrics.COMPARED), *shown]))

    @property
    def read(self) -> Sequence[Column]:
        """What a row's values are read of."""
        return tuple(dict.fromkeys([*self.columns, self.by, *self.compared]))

    @cached_property
    def matching(self) -> list[ColumnElement[bool]]:
        """For a statement over Run: all that were asked for, with a result or without."""
        return self.runs.conditions()

    @cached_property
    def completed(self) -> list[ColumnElement[bool]]:
        return [col(Run.status) == RunStatus.COMPLETED, *self.matching]
