"""What came of the runs: each metric beside the baseline's, with how sure the difference is.

A run is set against the baseline only where both were asked the same. All comparisons of a metric are looked at
together, so better and worse are said after Holm's correction for their number; an interval stands for itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.board.comparable import comparable
from app.metrics import COMPARED, Metric, relative_change
from app.models import Run
from app.settings import Settings
from app.statistics import differences
from app.statistics.significance import LEVEL, Difference, Interval, holm
from app.study.findings import verdict


@dataclass(frozen=True)
class Delta:
    """Run less baseline. `better` None is within noise, or equal; without an interval the spread is unknown."""

    absolute: float
    relative: float | None
    interval: Interval | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    better: bool | None = None

    @property
    def lost_in_number(self) -> bool:
        """Alone it would be told from noise; among so many comparisons it is not."""
        return self.better is None and self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True)
class MetricRow:
    """By run id. `best` are those that no run comparable with the baseline beats; `tested` have a p-value."""

    metric: Metric
    values: Mapping[int, float]
    deltas: Mapping[int, Delta]
    best: frozenset[int]
    base: float | None

    @property
    def tested(self) -> int:
        return sum(delta.p_value is not None for delta in self.deltas.values())


def results(settings: Settings, runs: Sequence[Run]) -> list[MetricRow]:
    """Of each metric that runs are compared by; the first run is the baseline."""
    baseline, *others = runs
    alike = [run.id or 0 for run in others if any(comparable(run, baseline, metric.short) for metric in COMPARED)]
    sure = differences.against(settings, baseline.id or 0, alike)
    return [_row(metric, runs, sure) for metric in COMPARED]


def value(run: Run, metric: Metric, side: str = "finetuned") -> float | None:
    """What the fine-tuned model, or its `base`, scored at the end."""
    found: float | None = ((run.results or {}).get(side) or {}).get(metric.short)
    return found


def _row(metric: Metric, runs: Sequence[Run], sure: Mapping[int, Mapping[str, Difference]]) -> MetricRow:
    baseline = runs[0]
    values = {run.id or 0: found for run in runs if (found := value(run, metric)) is not None}
    alike = [run.id or 0 for run in runs if comparable(run, baseline, metric.short) and run.id in values]
    start = values.get(baseline.id or 0)
    if start is None:
        return MetricRow(metric, values, {}, frozenset(), None)
    changed = {i: values[i] for i in alike if i != baseline.id}
    deltas = {i: _delta(metric, start, end, sure.get(i, {}).get(metric.short)) for i, end in changed.items()}
    return MetricRow(metric, values, _corrected(deltas), _best(metric, values, alike), _base(metric, runs))


def _delta(metric: Metric, start: float, end: float, found: Difference | None) -> Delta:
    interval, p_value = (found.absolute, found.p_value) if found else (None, None)
    better = verdict(metric.short, start, end, interval)
    return Delta(end - start, relative_change(start, end), interval, p_value, p_value, better)


def _corrected(deltas: Mapping[int, Delta]) -> dict[int, Delta]:
    """A difference is better or worse only where it stays so among all of them."""
    tested = {run_id: delta.p_value for run_id, delta in deltas.items() if delta.p_value is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {run_id: _judged(delta, adjusted.get(run_id)) for run_id, delta in deltas.items()}


def _judged(delta: Delta, adjusted: float | None) -> Delta:
    better = delta.better if adjusted is None or adjusted <= LEVEL else None
    return Delta(delta.absolute, delta.relative, delta.interval, delta.p_value, adjusted, better)


def _best(metric: Metric, values: Mapping[int, float], alike: Sequence[int]) -> frozenset[int]:
    """Alone, nothing is best."""
    if len(alike) < 2:
        return frozenset()
    best = (min if metric.direction == "lower" else max)(values[run_id] for run_id in alike)
    return frozenset(run_id for run_id in alike if values[run_id] == best)


def _base(metric: Metric, runs: Sequence[Run]) -> float | None:
    """What the base model scores, where it is one and the same for all that compare with the baseline."""
    found = {value(run, metric, "base") for run in runs if comparable(run, runs[0], metric.short)}
    return found.pop() if len(found) == 1 else None
