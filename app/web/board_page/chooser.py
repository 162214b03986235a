"""Which columns there are to choose from, and in which order those that were chosen stand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app import metrics, run_config
from app.board.run_columns import BEST, OWN, RESOURCES, TABLE, Aggregate, Column, column

TITLES = {"setting": "Settings", "metric": "Results", "resource": "Time and memory", "run": "About the run"}
USUAL = [shown.name for shown in TABLE]


@dataclass(frozen=True)
class Choice:
    """A column, and the one of its best value where it has one."""

    column: Column
    is_chosen: bool
    best: "Choice | None" = None


@dataclass(frozen=True)
class Group:
    title: str
    choices: list[Choice]


def choosable() -> list[Column]:
    """Every column but the name, which is always there: by kind, in each the experiment table's first."""
    every = [column(name) for name in (*USUAL, *run_config.LABELS, *metrics.BY_NAME, *RESOURCES, *OWN)]
    once = {found.name: found for found in every if found.name != "name"}
    return sorted(once.values(), key=lambda found: list(TITLES).index(found.kind))


def groups(shown: Iterable[Column]) -> list[Group]:
    chosen = {found.name for found in shown}
    return [
        Group(title, [_choice(found, chosen) for found in choosable() if found.kind == kind])
        for kind, title in TITLES.items()
    ]


def _choice(found: Column, chosen: set[str]) -> Choice:
    best = taken(found, BEST)
    other = Choice(best, best.name in chosen) if best.name != found.name else None
    return Choice(found, found.name in chosen, other)


def taken(found: Column, aggregate: Aggregate) -> Column:
    """The column with the last or the best values, where it has both."""
    if found.kind != "metric" or found.direction is None:
        return found
    return column(f"{found.metric}:{BEST}" if aggregate == BEST else found.metric)


def canonical(names: Sequence[str]) -> str:
    """As in an address: in the usual order, nothing where they are the usual ones; what is no column stays in."""
    chosen = {part for name in names for part in name.split(",") if part}
    if chosen | {"name"} == set(USUAL):
        return ""
    known = [each.name for found in choosable() for each in dict.fromkeys((found, taken(found, BEST)))]
    ordered = [name for name in known if name in chosen]
    return ",".join(["name", *ordered, *sorted(chosen - {"name", *ordered})])
