"""What a setting does: configurations that differ in it and in nothing else, in a row by its value.

Such a row is a matched comparison: along it nothing else moved, so what changed, the setting did - or, where it is one
row, chance did. Several rows of the same step say how steady the change is across the other settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from statistics import mean
from typing import Any

from app.board.comparable import comparable
from app.metrics import BY_SHORT, relative_change
from app.study.findings import Interval, IntervalOf, factor
from app.study.runs import SEED, Configuration, StudyRun, configurations

# Two configurations that differ in one factor, the smaller value first where it stands in a row.
Pair = tuple[Configuration, Configuration]


@dataclass(frozen=True)
class Row:
    """Configurations by the value of a factor, smallest first; the rest of their settings is one and the same."""

    values: tuple[Any, ...]
    configurations: tuple[Configuration, ...]


@dataclass(frozen=True)
class Change:
    """What a step of a factor changed in a metric, as a share of the value before.

    `bounds`: of one row its 95 % interval, of several the smallest and the largest; None where the spread is unknown.
    """

    relative: float
    rows: int
    bounds: Interval | None


@dataclass(frozen=True)
class Step:
    """From one value of a factor to the next, in all rows that have both; `changes` by short metric name."""

    start: Any
    end: Any
    rows: int
    changes: Mapping[str, Change]


@dataclass(frozen=True)
class Effect:
    """`linked` are settings that moved with the factor at a fixed ratio: the two cannot be told apart."""

    factor: str
    linked: tuple[str, ...]
    rows: tuple[Row, ...]


def effects(runs: Sequence[StudyRun]) -> list[Effect]:
    """Of every factor that some configurations differ in alone; the one with the most rows first."""
    found: dict[tuple[str, tuple[str, ...]], list[Pair]] = {}
    for one, other in combinations(configurations(_varying(runs)), 2):
        if moved := factor(one, other):
            found.setdefault(moved, []).append((one, other))
    known = [Effect(*moved, tuple(_row(moved[0], group) for group in _joined(pairs))) for moved, pairs in found.items()]
    return sorted(known, key=lambda effect: -len(effect.rows))


def steps(effect: Effect, metrics: Sequence[str], interval: IntervalOf) -> list[Step]:
    """From each value to the next, as the rows have them; what does not compare is left out."""
    found: dict[str, tuple[Any, Any, list[Pair]]] = {}
    for row in effect.rows:
        for (start, one), (end, other) in pairwise(zip(row.values, row.configurations, strict=True)):
            found.setdefault(repr((start, end)), (start, end, []))[2].append((one, other))
    ordered = sorted(found.values(), key=lambda step: (_order(step[0]), _order(step[1])))
    return [
        Step(start, end, len(pairs), {m: change for m in metrics if (change := _change(pairs, m, interval))})
        for start, end, pairs in ordered
    ]


def _varying(runs: Sequence[StudyRun]) -> list[StudyRun]:
    """With those settings alone that differ at all: the others say nothing, and cost a look at every pair."""
    names = {name for run in runs for name in run.settings}
    differ = {
        n for n in names if n == SEED or len({repr(run.settings[n]) if n in run.settings else "" for run in runs}) > 1
    }
    return [replace(run, settings={n: v for n, v in run.settings.items() if n in differ}) for run in runs]


def _joined(pairs: Sequence[Pair]) -> list[list[Configuration]]:
    """Pairs that share a configuration belong together: all of them differ in the factor alone."""
    groups: dict[int, dict[int, Configuration]] = {}
    for one, other in pairs:
        group = groups.get(id(one)) or groups.get(id(other)) or {}
        group |= {id(one): one, id(other): other}
        groups |= dict.fromkeys(group, group)
    return [list(group.values()) for group in {id(group): group for group in groups.values()}.values()]


def _row(name: str, group: Sequence[Configuration]) -> Row:
    ordered = sorted(group, key=lambda c: _order(c.first.settings[name]))
    return Row(tuple(c.first.settings[name] for c in ordered), tuple(ordered))


def _order(value: Any) -> tuple[int, float, str]:
    """Nothing, then numbers by size, then words."""
    if value is None:
        return 0, 0, ""
    return (1, value, "") if isinstance(value, int | float) else (2, 0, str(value))


def _change(pairs: Sequence[Pair], metric: str, interval: IntervalOf) -> Change | None:
    found = [(pair, relative) for pair in pairs if (relative := _relative(*pair, metric)) is not None]
    if not found:
        return None
    if len(found) == 1:
        (pair, relative), *_ = found
        return Change(relative, 1, interval(*pair, metric))
    changes = [relative for _, relative in found]
    return Change(mean(changes), len(found), (min(changes), max(changes)))


def _relative(one: Configuration, other: Configuration, metric: str) -> float | None:
    if not comparable(one.first, other.first, BY_SHORT[metric].short):
        return None
    return relative_change(one.mean(metric), other.mean(metric))
