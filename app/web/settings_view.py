"""Which settings of a run differ from another's: what tables show bold, and lines say in a few words."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from app.models import Run
from app.run_config import flatten, label
from app.web.numbers import setting

# The settings of the experiment table, with the short names used where there is little room.
COLUMNS = {
    "training.learning_rate": "LR",
    "training.per_device_train_batch_size": "batch",
    "lora.r": "r",
    "lora.lora_alpha": "α",
    "training.num_train_epochs": "epochs",
}


@dataclass(frozen=True)
class SettingCell:
    """One setting of a run: `differs` from the baseline's, or is as quiet as what everybody has."""

    name: str
    label: str
    value: str
    differs: bool


def cells(run: Run, baseline: Run | None, names: Iterable[str]) -> list[SettingCell]:
    """These settings, whether they differ or not."""
    differing = _differing(run, baseline)
    config = flatten(run.config)
    return [SettingCell(name, short(name), setting(config.get(name)), name in differing) for name in names]


def others(run: Run, baseline: Run | None, shown: Collection[str]) -> list[SettingCell]:
    """The settings that differ and are not shown already."""
    return [cell for cell in differences(run, baseline) if cell.name not in shown]


def differences(run: Run, baseline: Run | None) -> list[SettingCell]:
    """All settings that differ, by the names people know."""
    return [SettingCell(name, short(name), setting(value), True) for name, value in _differing(run, baseline).items()]


def short(name: str) -> str:
    """ "Split seed" -> "split seed", but "LoRA dropout" as it is."""
    if name in COLUMNS:
        return COLUMNS[name]
    text = label(name)
    return text if text[:2].isupper() or text[1:2].isupper() or text.startswith("LoRA") else text[:1].lower() + text[1:]


def _differing(run: Run, baseline: Run | None) -> dict[str, Any]:
    if baseline is None or baseline.id == run.id:
        return {}
    theirs = flatten(baseline.config)
    return {name: value for name, value in flatten(run.config).items() if theirs.get(name) != value}
