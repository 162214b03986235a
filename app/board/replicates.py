"""Runs that differ in nothing but their seed: replicates of one configuration, and what they come to together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from app.board.run_columns import Column, sql_value
from app.models import Run
from app.status import RunStatus

# The same for replicates, and for nothing else of a group that is ranked together.
IDENTITY: tuple[Any, ...] = (col(Run.experiment_id), col(Run.perplexity_key), col(Run.configuration))


@dataclass(frozen=True)
class Replicates:
    """The finished runs of a configuration, the first one first; `spread` is a standard deviation, by column."""

    runs: Sequence[Run]
    spread: Mapping[str, float]


def is_measured(column: Column) -> bool:
    """Whether seeds have a mean in it; in all else a configuration is as its first run."""
    return column.kind == "metric" or (column.kind == "resource" and column.name != "device")


def sql_mean(column: Column) -> ColumnElement[Any]:
    """The column's value in a statement that is grouped by IDENTITY."""
    return (func.avg if is_measured(column) else func.min)(sql_value(column))


def combine(
    runs: Sequence[Run], cells: Mapping[int, Mapping[str, Any]], columns: Sequence[Column]
) -> tuple[dict[str, Any], Replicates]:
    """By column, the means over the runs whose values `cells` holds by run id; a run without a value does not count."""
    values, spread = dict(cells[runs[0].id or 0]), {}
    for column in filter(is_measured, columns):
        known = [value for run in runs if (value := cells[run.id or 0][column.name]) is not None]
        values[column.name] = fmean(known) if known else None
        if len(known) > 1:
            spread[column.name] = stdev(known)
    return values, Replicates(runs, spread)


def replicates(session: Session, run: Run) -> list[Run]:
    """The finished runs of a run's configuration that were asked the same, by id; itself where it has finished."""
    ours = ("experiment_id", "perplexity_key", "configuration", "fingerprint", "import_id")
    alike = select(Run).where(
        Run.status == RunStatus.COMPLETED,
        *(col(getattr(Run, name)).is_not_distinct_from(getattr(run, name)) for name in ours),
    )
    return list(session.exec(alike.order_by(col(Run.id))))
