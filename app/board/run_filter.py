"""Which runs a list or a leaderboard is about: experiment, status, and words to look for."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, String, func, or_, select
from sqlmodel import col

from app import ids
from app.errors import Invalid
from app.models import Experiment, Run
from app.status import RunStatus

ESCAPE = "\\"

# Every word is a condition of its own, and the database takes only so many of them.
MOST_TEXT = 500

# How Run is joined with Experiment; the tables also refer to each other by the baseline.
ITS_EXPERIMENT: ColumnElement[bool] = col(Run.experiment_id) == col(Experiment.id)


@dataclass(frozen=True)
class RunFilter:
    """`text`: each of its words stands in the name, the notes, a tag or the experiment's name, case ignored."""

    experiment: int | str | None = None
    statuses: Sequence[RunStatus] = ()
    text: str = ""

    def conditions(self) -> list[ColumnElement[bool]]:
        """For a statement over Run joined with Experiment."""
        conditions = [_mentions(word) for word in self.text.split()]
        if isinstance(self.experiment, int):
            conditions.append(col(Run.experiment_id) == self.experiment)
        elif self.experiment is not None:
            conditions.append(col(Experiment.name) == self.experiment)
        if self.statuses:
            conditions.append(col(Run.status).in_(self.statuses))
        return conditions


def parse_filter(experiment: str | None = None, status: str | None = None, text: str | None = None) -> RunFilter:
    """From a query: `experiment` is an id or a name, `status` a list with commas."""
    words = text or ""
    if len(words) > MOST_TEXT:
        raise Invalid.one("filter", f"Look for at most {MOST_TEXT} characters at once")
    return RunFilter(_parse_experiment(experiment or ""), parse_statuses(status or ""), words)


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


def _mentions(word: str) -> ColumnElement[bool]:
    for special in (ESCAPE, "%", "_"):
        word = word.replace(special, ESCAPE + special)
    pattern = f"%{word}%"
    tag = func.json_each(col(Run.tags)).table_valued("value", name="tag")
    tagged = select(1).select_from(tag).where(tag.c.value.cast(String).like(pattern, escape=ESCAPE)).exists()
    named = (column.like(pattern, escape=ESCAPE) for column in (col(Run.name), col(Run.notes), col(Experiment.name)))
    return or_(*named, tagged)
