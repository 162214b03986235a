"""Which runs a list or a leaderboard is about: experiment, status, and a filter (app.board.filter)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from app import ids
from app.board.filter.grammar import parse
from app.board.filter.sql import condition
from app.errors import Invalid
from app.models import Experiment, Run
from app.status import RunStatus

# How Run is joined with Experiment; the tables also refer to each other by the baseline.
ITS_EXPERIMENT: ColumnElement[bool] = col(Run.experiment_id) == col(Experiment.id)


@dataclass(frozen=True)
class RunFilter:
    """`text` is in the filter language; where it is none, `conditions` raises FilterError."""

    experiment: int | str | None = None
    statuses: Sequence[RunStatus] = ()
    text: str = ""

    def conditions(self) -> list[ColumnElement[bool]]:
        """For a statement over Run."""
        said = parse(self.text)
        conditions = [] if said is None else [condition(said)]
        if isinstance(self.experiment, int):
            conditions.append(col(Run.experiment_id) == self.experiment)
        elif self.experiment is not None:
            named = select(Experiment.id).where(Experiment.name == self.experiment).correlate(None)
            conditions.append(col(Run.experiment_id).in_(named))
        if self.statuses:
            conditions.append(col(Run.status).in_(self.statuses))
        return conditions


def parse_filter(experiment: str | None = None, status: str | None = None, text: str | None = None) -> RunFilter:
    """From a query: `experiment` is an id or a name, `status` a list with commas; a bad filter is a FilterError."""
    parse(text or "")
    return RunFilter(_parse_experiment(experiment or ""), parse_statuses(status or ""), text or "")


def _parse_experiment(text: str) -> int | str | None:
    if not text.isascii() or not text.isdigit():
        return text or None
    found = ids.parse(text)
    if found is None:
        raise Invalid.one("experiment", "There is no experiment of that id")
    return found


def parse_statuses(text: str) -> tuple[RunStatus, ...]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    if unknown := [name for name in names if name not in set(RunStatus)]:
        raise Invalid.one("status", f"There is no status {unknown[0]}: {', '.join(RunStatus)}")
    return tuple(RunStatus(name) for name in names)
