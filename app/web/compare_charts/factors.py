"""What each setting does, from matched runs: rows that a chart joins by lines, and a table of every step."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.compare.comparison import Comparison
from app.compare.effects import Effect, Step, effects, steps
from app.metrics import COMPARED
from app.run_config import LABELS
from app.settings import Settings
from app.study import intervals
from app.study.findings import Interval
from app.study.overfitting import Losses
from app.study.runs import Configuration
from app.study.sources import study_run
from app.web.numbers import setting

# Charts are small and many; more factors than these are in the table alone.
MOST_DRAWN = 12
# The intervals of so many steps are looked up; with more of them a page would wait.
MOST_INTERVALS = 24


@dataclass(frozen=True)
class Factor:
    effect: Effect
    label: str
    linked: str
    steps: Sequence[Step]

    @property
    def rows(self) -> list[list[dict[str, Any]]]:
        """As a script draws them: of each row the values, as text, with the runs that had them."""
        return [
            [
                {"text": setting(value), "runs": [run.id for run in configuration.runs]}
                for value, configuration in zip(row.values, row.configurations, strict=True)
            ]
            for row in self.effect.rows
        ]


def factors(places: Settings, compared: Comparison) -> list[Factor]:
    """Of finished runs alone; a setting that no comparable runs differ in is left out."""
    runs = [study_run(run, Losses()) for run in compared.chosen.runs if run.results]
    metrics = [metric.short for metric in COMPARED]
    known = _Intervals(places)
    return [
        Factor(effect, LABELS[effect.factor], " and ".join(LABELS[name] for name in effect.linked), moved)
        for effect in effects(runs)
        if (moved := [step for step in steps(effect, metrics, known) if step.changes])
    ]


class _Intervals:
    """The first so many pairs have an interval."""

    def __init__(self, places: Settings) -> None:
        self._of = partial(intervals.relative, places)
        self._asked: set[tuple[int, int]] = set()

    def __call__(self, one: Configuration, other: Configuration, metric: str) -> Interval | None:
        pair = (one.first.id, other.first.id)
        if len(self._asked) >= MOST_INTERVALS and pair not in self._asked:
            return None
        self._asked.add(pair)
        return self._of(one, other, metric)
