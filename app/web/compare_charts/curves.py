"""Which series are laid over each other, of which runs, and what the runs came to in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from app.board.comparable import comparable
from app.compare.comparison import Comparison
from app.compare.recorded import Recorded
from app.metrics import BY_NAME, Metric
from app.models import RunValue
from app.web import numbers

# The two that are looked at first are drawn large; the others follow in this order.
LARGE = ("train/loss", "eval/perplexity")
SMALL = (
    "eval/loss",
    "validation/loss",
    "eval/bleu",
    "eval/rouge_l",
    "train/learning_rate",
    "train/grad_norm",
    "train/tokens_per_second",
    "system/memory",
)
GIGABYTE = 1e9


@dataclass(frozen=True)
class Curve:
    """`runs` have points that are drawn; `apart` have points that do not compare with the baseline's."""

    metric: Metric
    label: str
    unit: str
    scale: float
    large: bool
    runs: Sequence[int]
    apart: Sequence[int]
    values: Mapping[int, tuple[str, str]]  # last and best, as they are read

    @property
    def has_best(self) -> bool:
        return self.metric.direction is not None


def curves(session: Session, compared: Comparison) -> list[Curve]:
    found = {series.name: series for series in compared.series}
    names = [name for name in (*LARGE, *SMALL) if name in found]
    ends = _ends(session, compared.chosen.ids, names)
    return [_curve(found[name], compared, ends) for name in names]


def _curve(series: Recorded, compared: Comparison, ends: Mapping[str, Mapping[int, RunValue]]) -> Curve:
    metric = BY_NAME[series.name]
    apart = _apart(series, compared)
    in_bytes = series.unit == "bytes"
    scale, unit = (GIGABYTE, "GB") if in_bytes else (1, series.unit)

    def text(value: float) -> str:
        return numbers.number(value / scale, 1) if in_bytes else numbers.metric(value, metric.short)

    return Curve(
        metric,
        _label(metric, compared),
        unit,
        scale,
        series.name in LARGE,
        [run_id for run_id in series.runs if run_id not in apart],
        apart,
        {run_id: (text(end.last), text(end.best)) for run_id, end in ends.get(series.name, {}).items()},
    )


def _label(metric: Metric, compared: Comparison) -> str:
    """Held-out perplexity, so that nobody takes it for that of the training rows."""
    if metric.name.startswith("eval/") and "eld-out" not in metric.label:
        label = metric.label if metric.label.isupper() or "-" in metric.label else metric.label.lower()
        return f"Held-out {label}"
    kinds = {(run.resources or {}).get("memory_kind") for run in compared.chosen.runs}
    return f"{metric.label} (RSS)" if metric.name == "system/memory" and kinds == {"rss"} else metric.label


def _apart(series: Recorded, compared: Comparison) -> list[int]:
    """Held-out values of runs that were asked something else: on one axis they would be read as comparable."""
    if not series.name.startswith("eval/"):
        return []
    baseline, runs = compared.chosen.baseline, {run.id: run for run in compared.chosen.runs}
    short = BY_NAME[series.name].short
    return [i for i in series.runs if i in compared.apart and not comparable(runs[i], baseline, short)]


def _ends(session: Session, ids: Sequence[int], names: Sequence[str]) -> dict[str, dict[int, RunValue]]:
    """By series and run, the last and the best value: kept in a table of their own, so no series is read."""
    statement = select(RunValue).where(col(RunValue.run_id).in_(ids), col(RunValue.name).in_(names))
    found: dict[str, dict[int, RunValue]] = {}
    for value in session.exec(statement):
        found.setdefault(value.name, {})[value.run_id] = value
    return found
