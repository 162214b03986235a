"""Settings, results and costs as axes: numbers in the unit that is shown, and each as the text that is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.board.comparable import comparable
from app.compare.comparison import Comparison
from app.compare.resources import MEMORY, ResourceRow
from app.compare.results import MetricRow
from app.compare.settings import SettingRow
from app.metrics import Direction
from app.study.findings import NAMES
from app.web import numbers
from app.web.numbers import TimeScale

# Which way a cost is the better one: what a front of quality against cost needs. No verdict on the cost itself.
CHEAPER: dict[str, Direction] = {
    "train_seconds": "lower",
    "peak_memory_bytes": "lower",
    "mean_memory_bytes": "lower",
    "seconds_per_epoch": "lower",
    "seconds_per_1000_rows": "lower",
    "seconds_per_1000_examples": "lower",
    "evaluation_seconds": "lower",
    "tokens_per_second": "higher",
}
# Shown unless chosen otherwise; more axes than these are hard to follow.
USUAL_COSTS = ("train_seconds", "peak_memory_bytes")
USUAL_SETTINGS = 6
LONGEST_TEXT = 24


@dataclass(frozen=True)
class ChartColumn:
    """`values` and `texts` by run id; what was not measured, or does not compare with the baseline, is missing."""

    name: str
    label: str
    unit: str
    kind: str  # setting, cost or result
    better: Direction | None
    values: Mapping[int, float | str]
    texts: Mapping[int, str]
    shown: bool = True


def columns(compared: Comparison) -> list[ChartColumn]:
    """What differs between the runs: the settings as in the form, then costs, then results."""
    settings = [row for row in compared.settings if row.differs and row.name != "training.seed"]
    costs = [row for row in compared.resources if row.differs and row.name in CHEAPER]
    found = [
        *(_setting(row, shown=place < USUAL_SETTINGS) for place, row in enumerate(settings)),
        *(_cost(row, compared) for row in costs),
        *(_result(row, compared) for row in compared.metrics),
    ]
    return [column for column in found if len(set(column.texts.values())) > 1]


def _setting(row: SettingRow, *, shown: bool) -> ChartColumn:
    texts = {run_id: _short(value) for run_id, value in row.values.items()}
    values = {run_id: _drawn(row.name, value, texts[run_id]) for run_id, value in row.values.items()}
    return ChartColumn(row.name, row.label, row.unit, "setting", None, values, texts, shown)


def _drawn(name: str, value: Any, text: str) -> float | str:
    """A number where it is one; numbers that only name something are words."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and name not in NAMES
    return value if is_number else text


def _short(value: Any) -> str:
    text = "none" if value is None else numbers.setting(value)
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _cost(row: ResourceRow, compared: Comparison) -> ChartColumn:
    """Memory only of runs that measured the same kind of it as the baseline."""
    values = row.values
    if row.name in MEMORY and compared.chosen.baseline.id in values:
        values = {i: v for i, v in values.items() if i in row.deltas or i == compared.chosen.baseline.id}
    unit, factor, decimals = _scale(row)
    scaled = {run_id: value / factor for run_id, value in values.items()}
    texts = {run_id: numbers.number(value, decimals) for run_id, value in scaled.items()}
    shown = row.name in USUAL_COSTS
    return ChartColumn(row.name, row.label, unit, "cost", CHEAPER[row.name], scaled, texts, shown)


def _scale(row: ResourceRow) -> tuple[str, float, int]:
    """Unit, what a stored value is divided by, and decimals."""
    if row.unit == "bytes":
        return "GB", 1e9, 1
    if row.unit == "s":
        times = TimeScale.of(row.values.values())
        longest = max(row.values.values()) / times.factor
        return times.unit, times.factor, 0 if longest >= 20 else 1
    return row.unit, 1, 0


def _result(row: MetricRow, compared: Comparison) -> ChartColumn:
    """Of the runs that were asked the same as the baseline: others on the same axis would be read as comparable."""
    baseline, metric = compared.chosen.baseline, row.metric
    alike = {run.id for run in compared.chosen.runs if comparable(run, baseline, metric.short)}
    values = {run_id: value for run_id, value in row.values.items() if run_id in alike}
    texts = {run_id: numbers.metric(value, metric.short) for run_id, value in values.items()}
    return ChartColumn(metric.name, metric.label, metric.unit, "result", metric.direction, dict(values), texts)
