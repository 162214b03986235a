"""The table of a comparison: a row a setting, result or cost, with a cell for each run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.compare.comparison import Comparison
from app.compare.resources import MEMORY, PEAK_MEMORY, ResourceRow, memory_kind
from app.compare.results import Delta, MetricRow
from app.compare.settings import SettingRow
from app.metrics import Metric
from app.models import Run
from app.web import numbers
from app.web.compare_page.forest import means
from app.web.numbers import NOTHING, TimeScale, number, setting, signed

# Costs that everybody asks for; the others are shown where they differ by what was trained, or when all are asked for.
ALWAYS = ("train_seconds", PEAK_MEMORY, "tokens_per_second")
BY_CHOICE = ("trainable_parameters", "effective_batch_size", "total_parameters", "device")
LONGEST = 48


@dataclass(frozen=True)
class Cell:
    """`title` is the whole text of what was cut."""

    text: str
    unit: str = ""
    differs: bool = False
    is_best: bool = False
    title: str = ""
    below: str = ""
    delta: Delta | None = None
    means: str = ""


@dataclass(frozen=True)
class Row:
    """`cells` by run id."""

    name: str
    label: str
    kind: str  # setting, metric or cost
    cells: Mapping[int, Cell]
    note: str = ""
    metric: Metric | None = None


@dataclass(frozen=True)
class Group:
    title: str
    note: str
    rows: list[Row] = field(default_factory=list)


def groups(comparison: Comparison, datasets: Mapping[int, str], *, all: bool) -> list[Group]:
    """`datasets` are names by id; `all` shows what does not differ too."""
    runs, baseline = comparison.chosen.runs, comparison.chosen.baseline
    found = [
        Group("Settings", "", [_setting(r, runs, datasets) for r in comparison.settings if all or r.differs]),
        Group(
            "Results",
            f"difference to {baseline.name} and its 95 % interval",
            [_metric(row, runs) for row in comparison.metrics if row.values],
        ),
        Group("Cost", "", [_cost(row, runs) for row in comparison.resources if all or _is_shown(row)]),
    ]
    return [group for group in found if group.rows]


def _setting(row: SettingRow, runs: Sequence[Run], datasets: Mapping[int, str]) -> Row:
    theirs = row.values.get(runs[0].id or 0, NOTHING)
    cells = {}
    for run in runs:
        value = row.values.get(run.id or 0, NOTHING)
        text = datasets.get(value, f"#{value}") if row.name == "data.dataset" and value != NOTHING else setting(value)
        cells[run.id or 0] = Cell(_short(text), differs=value != theirs, title=text if text != _short(text) else "")
    return Row(row.name, row.label, "setting", cells, row.unit)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _metric(row: MetricRow, runs: Sequence[Run]) -> Row:
    metric = row.metric
    cells = {run.id or 0: _result(row, run, is_baseline=run is runs[0]) for run in runs}
    note = f"{'↓' if metric.direction == 'lower' else '↑'} {metric.direction} is better"
    return Row(metric.name, metric.label, "metric", cells, note, metric)


def _result(row: MetricRow, run: Run, *, is_baseline: bool) -> Cell:
    run_id = run.id or 0
    if run_id not in row.values:
        return Cell(NOTHING, below="not measured" if run.results else run.status)
    value, delta = row.values[run_id], row.deltas.get(run_id)
    below = "baseline" if is_baseline else "" if delta else "not compared"
    kind = means(delta) if delta else ""
    return Cell(
        numbers.metric(value, row.metric.short), is_best=run_id in row.best, below=below, delta=delta, means=kind
    )


def _is_shown(row: ResourceRow) -> bool:
    return row.name in ALWAYS or (row.differs and row.name in BY_CHOICE)


def _cost(row: ResourceRow, runs: Sequence[Run]) -> Row:
    unit, factor, decimals = _scale(row)
    cells = {}
    for run in runs:
        run_id = run.id or 0
        value = row.values.get(run_id)
        if value is None or isinstance(value, str):
            cells[run_id] = Cell(NOTHING if value is None else _short(value))
            continue
        is_rss = row.name in MEMORY and memory_kind(run) == "rss"
        below = _change(row.deltas.get(run_id), factor, decimals)
        cells[run_id] = Cell(number(value / factor, decimals), f"{unit} RSS" if is_rss else unit, below=below)
    return Row(row.name, row.label, "cost", cells)


def _scale(row: ResourceRow) -> tuple[str, float, int]:
    """Unit, what it is of the stored one, and decimals: the same for a whole row, so that it reads across."""
    if row.unit == "bytes":
        return "GB", 1e9, 1
    if row.unit == "s":
        scale = TimeScale.of(_numbers(row.values.values()))
        longest = max(_numbers(row.values.values()), default=0.0) / scale.factor
        return scale.unit, scale.factor, 0 if longest >= 10 else 1
    return row.unit, 1, 0


def _numbers(values: Iterable[Any]) -> list[float]:
    return [value for value in values if isinstance(value, int | float)]


def _change(delta: float | None, factor: float, decimals: int) -> str:
    """A cost is a trade and not a verdict: its difference has a sign and no colour."""
    if delta is None:
        return ""
    change = round(delta / factor, decimals)
    return signed(change, decimals) if change else "="
