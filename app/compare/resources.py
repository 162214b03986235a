"""What the runs cost, and on what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.board.run_columns import RESOURCES
from app.models import Run

PEAK_MEMORY = "peak_memory_bytes"
MEMORY = (PEAK_MEMORY, "mean_memory_bytes")


@dataclass(frozen=True)
class ResourceRow:
    """`values` and `deltas` (run less baseline) by run id; what was not measured, or does not compare, is missing."""

    name: str
    label: str
    unit: str
    values: Mapping[int, Any]
    deltas: Mapping[int, float]
    differs: bool


def resources(runs: Sequence[Run]) -> list[ResourceRow]:
    """Everything that was measured of some run; the first run is the baseline."""
    rows = [_row(name, runs) for name in RESOURCES]
    return [row for row in rows if row.values]


def memory_kind(run: Run) -> str:
    """`rss`, the memory of a process on CPU, or `cuda`; empty where it was not measured, or stated elsewhere."""
    return str((run.resources or {}).get("memory_kind") or "")


def _row(name: str, runs: Sequence[Run]) -> ResourceRow:
    label, unit = RESOURCES[name]
    values = {run.id or 0: (run.resources or {}).get(name) for run in runs}
    values = {run_id: value for run_id, value in values.items() if value is not None}
    differs = len(set(values.values())) > 1
    return ResourceRow(name, label, unit, values, _deltas(name, runs, values), differs)


def _deltas(name: str, runs: Sequence[Run], values: Mapping[int, Any]) -> dict[int, float]:
    """Memory of a process and of a GPU are two things: their difference would mean nothing."""
    baseline, *others = runs
    start = values.get(baseline.id or 0)
    if not isinstance(start, int | float):
        return {}
    alike = [run.id or 0 for run in others if name not in MEMORY or memory_kind(run) == memory_kind(baseline)]
    return {run_id: values[run_id] - start for run_id in alike if run_id in values}
