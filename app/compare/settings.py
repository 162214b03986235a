"""What the runs were asked to do, setting by setting, and which settings differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.models import Run
from app.run_config import LABELS, UNITS, flatten


@dataclass(frozen=True)
class SettingRow:
    """`values` by run id; a run from elsewhere that did not state the setting is missing."""

    name: str
    label: str
    unit: str
    values: Mapping[int, Any]
    differs: bool


def settings(runs: Sequence[Run]) -> list[SettingRow]:
    """Every setting that some run states, in the order of the form."""
    configs = {run.id or 0: flatten(run.config) for run in runs}
    rows = [_row(name, configs) for name in LABELS]
    return [row for row in rows if row.values]


def _row(name: str, configs: Mapping[int, Mapping[str, Any]]) -> SettingRow:
    values = {run_id: config[name] for run_id, config in configs.items() if name in config}
    differs = len(values) < len(configs) or any(value != next(iter(values.values())) for value in values.values())
    return SettingRow(name, LABELS[name], UNITS[name], values, differs)
