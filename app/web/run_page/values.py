"""The table behind the charts of a run: every series at some of its steps, those of each evaluation among them."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel import Session

from app.metrics import BY_NAME
from app.series import Series, at_steps
from app.web.numbers import metric as metric_text
from app.web.numbers import number
from app.web.run_page.small_charts import LOSSES, READ_IN

# Steps between the evaluations, and evaluations; of more than that every second, third... is taken.
MOST_STEPS, MOST_EVALUATIONS = 24, 60
# Decimals of what the catalogue does not know, and of what is read in another unit than its own.
OTHER_PLACES, READ_IN_PLACES = 3, 2

# What app.series.at_steps gives: by name and step, the value and the epoch.
Found = Mapping[str, Mapping[int, tuple[float | None, float]]]


@dataclass(frozen=True)
class Row:
    step: int
    epoch: float
    cells: list[str]


@dataclass(frozen=True)
class Values:
    """`columns` are label and unit; `steps` is how many the run has."""

    columns: list[tuple[str, str]]
    rows: list[Row]
    steps: int


def values(session: Session, run_id: int, series: Mapping[str, Series]) -> Values | None:
    """None before the first step."""
    train = series.get("train/loss")
    if train is None:
        return None
    names = [*(name for name in LOSSES if name in series), *(name for name in series if name not in LOSSES)]
    evaluated = {step for name in LOSSES[1:] if name in series for step in _some(series[name].steps, MOST_EVALUATIONS)}
    steps = sorted({*_some(train.steps, MOST_STEPS), *evaluated})
    found = at_steps(session, run_id, names, steps)
    rows = [Row(step, _epoch(found, step), [_said(name, found, step) for name in names]) for step in steps]
    return Values([_head(name) for name in names], rows, train.points)


def _some(steps: list[int], most: int) -> list[int]:
    """Evenly spread, the last one among them."""
    every = -(-len(steps) // most)
    return [*steps[::every], steps[-1]]


def _head(name: str) -> tuple[str, str]:
    metric = BY_NAME.get(name)
    return (metric.label, READ_IN.get(metric.unit, (metric.unit, 1.0))[0]) if metric else (name, "")


def _said(name: str, found: Found, step: int) -> str:
    """Empty where nothing was measured; a dash for a value that is no number."""
    if step not in found.get(name, {}):
        return ""
    value, metric = found[name][step][0], BY_NAME.get(name)
    if metric is None:
        return number(value, OTHER_PLACES)
    if metric.unit in READ_IN:
        return number(None if value is None else value / READ_IN[metric.unit][1], READ_IN_PLACES)
    return metric_text(value, metric.short)


def _epoch(found: Found, step: int) -> float:
    return next((points[step][1] for points in found.values() if step in points), 0.0)
