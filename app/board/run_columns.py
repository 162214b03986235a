"""What runs can be sorted and tabulated by: their own fields, settings, metrics and resources, all by one name each.

A setting goes by its dotted name (`lora.r`), a metric by the catalogue's (`eval/bleu`, or short `bleu`), a resource
by its field (`train_seconds`). A metric is meant as it was last; with `:best` behind its name, as its best. A name
that a resource and a metric have in common is the resource.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Integer, String, func, type_coerce
from sqlmodel import Session, col, select

from app import metrics, run_config
from app.errors import Invalid
from app.metrics import Direction, Metric
from app.models import Experiment, Run, RunValue

Aggregate = Literal["last", "best"]
BEST: Final = "best"

RESOURCES: dict[str, tuple[str, str]] = {
    "train_seconds": ("Training time", "s"),
    "peak_memory_bytes": ("Memory", "bytes"),
    "mean_memory_bytes": ("Mean memory", "bytes"),
    "seconds_per_epoch": ("Time per epoch", "s"),
    "seconds_per_1000_rows": ("Time per 1,000 rows", "s"),
    "seconds_per_1000_examples": ("Time per 1,000 examples", "s"),
    "evaluation_seconds": ("Evaluation time", "s"),
    "tokens_per_second": ("Speed", "tokens/s"),
    "trainable_parameters": ("Trainable parameters", ""),
    "total_parameters": ("Parameters", ""),
    "effective_batch_size": ("Effective batch size", ""),
    "device": ("Device", ""),
}
OWN: dict[str, str] = {
    "id": "Id",
    "name": "Name",
    "experiment": "Experiment",
    "status": "Status",
    "notes": "Notes",
    "tags": "Tags",
    "created_at": "Created",
    "started_at": "Started",
    "finished_at": "Finished",
}


EXPERIMENT_NAME: ColumnElement[str] = (
    select(Experiment.name).where(col(Experiment.id) == col(Run.experiment_id)).correlate(Run).scalar_subquery()
)
RUN_ID: ColumnElement[int] = type_coerce(col(Run.id), Integer)


@dataclass(frozen=True)
class Column:
    """`kind` says where the value stands; `direction` which way is better, if either is."""

    name: str
    label: str
    kind: str  # run, setting, metric or resource
    unit: str = ""
    direction: Direction | None = None
    aggregate: Aggregate = "last"  # of a metric's curve

    @property
    def metric(self) -> str:
        """The catalogue's name, where it is of a metric."""
        return self.name.partition(":")[0]

    @property
    def best_first(self) -> str:
        """The sort that puts the best value first; ascending where none is better."""
        return f"-{self.name}" if self.direction == "higher" else self.name


def column(name: str) -> Column:
    """The column of a name; raises KeyError."""
    plain, _, aggregate = name.partition(":")
    if aggregate:
        return _best(metrics.BY_NAME.get(plain) or metrics.BY_SHORT[plain], aggregate)
    if name in RESOURCES:
        label, unit = RESOURCES[name]
        return Column(name, label, "resource", unit)
    if metric := metrics.BY_NAME.get(name) or metrics.BY_SHORT.get(name):
        return Column(metric.name, metric.label, "metric", metric.unit, metric.direction)
    if name in OWN:
        return Column(name, OWN[name], "run")
    return Column(name, run_config.LABELS[name], "setting", run_config.UNITS[name])


def _best(metric: Metric, aggregate: str) -> Column:
    """Of a metric that has one."""
    if aggregate != BEST or metric.direction is None:
        raise KeyError(f"{metric.name}:{aggregate}")
    name = f"{metric.name}:{BEST}"
    return Column(name, f"{metric.label}, best", "metric", metric.unit, metric.direction, BEST)


# The experiment table.
TABLE: tuple[Column, ...] = tuple(
    column(name)
    for name in (
        "name",
        "training.learning_rate",
        "training.per_device_train_batch_size",
        "lora.r",
        "lora.lora_alpha",
        "training.num_train_epochs",
        "eval/perplexity",
        "eval/bleu",
        "eval/rouge_l",
        "train_seconds",
        "peak_memory_bytes",
        "notes",
    )
)


def parse_columns(text: str | None) -> tuple[Column, ...]:
    """From a query: names with commas; without any, the experiment table's."""
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    return tuple(_named(name, "columns") for name in names) or TABLE


def parse_sort(text: str) -> tuple[Column, bool]:
    """Column and whether descending (`-` in front)."""
    return _named(text.removeprefix("-"), "sort"), text.startswith("-")


def _named(name: str, field: str) -> Column:
    try:
        return column(name)
    except KeyError:
        raise Invalid.one(field, f"There is no column {name}") from None


def sql_value(column: Column) -> ColumnElement[Any]:
    """The column's value in a statement over Run."""
    if column.kind == "metric":
        mine = col(RunValue.run_id) == col(Run.id), col(RunValue.name) == column.metric
        return select(getattr(RunValue, column.aggregate)).where(*mine).correlate(Run).scalar_subquery()
    if column.kind == "resource":
        return func.json_extract(col(Run.resources), f'$."{column.name}"')
    if column.kind == "setting":
        group, _, field = column.name.partition(".")
        return func.json_extract(col(Run.config), f'$."{group}"."{field}"')
    if column.name == "experiment":
        return func.lower(EXPERIMENT_NAME)
    if column.name in ("name", "notes"):
        return func.lower(col(getattr(Run, column.name)))
    # As it is stored: a time or a list of tags sorts by its text, and stands in a cursor as such.
    return RUN_ID if column.name == "id" else type_coerce(col(getattr(Run, column.name)), String)


# By run id and name.
Measured = Mapping[tuple[int, str], Mapping[Aggregate, float]]


def values(
    session: Session, rows: Sequence[tuple[Run, Experiment]], columns: Sequence[Column]
) -> dict[int, dict[str, Any]]:
    """By run id, the value of every column; None where there is none."""
    wanted = {c.metric for c in columns if c.kind == "metric"}
    ids = [run.id for run, _ in rows]
    parts = select(RunValue.run_id, RunValue.name, RunValue.last, RunValue.best)
    found = session.exec(parts.where(col(RunValue.run_id).in_(ids), col(RunValue.name).in_(wanted)))
    measured: Measured = {(run_id, name): {"last": last, "best": best} for run_id, name, last, best in found}
    return {
        run.id: {c.name: _value(run, experiment, c, measured) for c in columns} for run, experiment in rows if run.id
    }


def _value(run: Run, experiment: Experiment, column: Column, measured: Measured) -> Any:
    if column.kind == "metric":
        found = measured.get((run.id or 0, column.metric))
        return found[column.aggregate] if found else None
    if column.kind == "resource":
        return (run.resources or {}).get(column.name)
    if column.kind == "setting":
        group, _, field = column.name.partition(".")
        return run.config.get(group, {}).get(field)
    return experiment.name if column.name == "experiment" else getattr(run, column.name)
