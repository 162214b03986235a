"""What a run came to: base against fine-tuned, memory and time, and its settings beside its baseline's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from sqlmodel import Session

from app.board.comparable import comparable
from app.metrics import COMPARED, Metric, is_better
from app.models import Baseline, Run
from app.run_config import COMMON, LABELS, flatten
from app.settings import Settings
from app.statistics import differences
from app.statistics.significance import Interval
from app.web.forms import JOINED
from app.web.numbers import NOTHING, duration, gigabytes, number, setting, share, with_unit

MOST_EPOCHS = 6


@dataclass(frozen=True)
class Comparison:
    """One metric; `base_plain` is the base under the plain prompt, where it does better there than with its own."""

    metric: Metric
    base: float | None
    finetuned: float | None
    improvement: float | None
    interval: list[float] | None
    base_plain: float | None


@dataclass(frozen=True)
class Against:
    """One metric beside the baseline's; `interval` is None where the spread is not known."""

    metric: Metric
    delta: float
    interval: Interval | None

    @property
    def reach(self) -> float:
        """How far an axis about zero has to go."""
        return max(map(abs, (self.delta, *(self.interval or ())))) * 1.1 or 1.0


@dataclass(frozen=True)
class Setting:
    """`value` fits a line; `full` is the whole text of a template."""

    name: str
    label: str
    value: str
    full: str
    differs: bool
    baseline: str


def comparisons(run: Run, base: Mapping[str, float | None]) -> list[Comparison]:
    """The three metrics in the order of every table; before the end only what the base scored is known."""
    results = run.results or {}
    base = results.get("base", base)
    return [
        Comparison(
            metric,
            base.get(metric.short),
            results.get("finetuned", {}).get(metric.short),
            results.get("improvement", {}).get(metric.short),
            (results.get("intervals") or {}).get(metric.short),
            _better_plain(metric, base, results.get("base_plain") or {}),
        )
        for metric in COMPARED
    ]


def _better_plain(metric: Metric, base: Mapping[str, float | None], plain: Mapping[str, float | None]) -> float | None:
    ours, other = base.get(metric.short), plain.get(metric.short)
    return other if ours is not None and other is not None and is_better(metric, other, than=ours) else None


def base_metrics(session: Session, run: Run) -> dict[str, float | None]:
    """What the base scored, as soon as it is known."""
    measured = session.get(Baseline, run.baseline_key) if run.baseline_key else None
    return measured.metrics if measured else {}


def costs(resources: Mapping[str, Any]) -> list[tuple[str, Markup | str]]:
    """Every resource that was measured, with its unit."""
    kind = resources.get("memory_kind", "")
    trained, total = resources.get("trainable_parameters"), resources.get("total_parameters")
    found: list[tuple[str, Markup | str | None]] = [
        ("Device", resources.get("device")),
        (f"Peak memory{' (RSS)' if kind == 'rss' else ''}", _known(gigabytes, resources.get("peak_memory_bytes"))),
        (f"Mean memory{' (RSS)' if kind == 'rss' else ''}", _known(gigabytes, resources.get("mean_memory_bytes"))),
        ("Peak on the device, all programs", _known(gigabytes, resources.get("device_peak_memory_bytes"))),
        ("Training", _known(duration, resources.get("train_seconds"))),
        ("Per epoch", _known(duration, resources.get("seconds_per_epoch"))),
        ("Each epoch", _each_epoch(resources.get("epoch_seconds") or [])),
        ("Per 1,000 rows", _known(duration, resources.get("seconds_per_1000_rows"))),
        ("Per 1,000 examples seen", _known(duration, resources.get("seconds_per_1000_examples"))),
        ("Evaluation", _known(duration, resources.get("evaluation_seconds"))),
        ("Waiting for libraries to load", _known(duration, resources.get("startup_seconds"))),
        ("Speed", _known(_speed, resources.get("tokens_per_second"))),
        ("Trained weights", with_unit(number(trained), share(trained / total, 2)) if trained and total else None),
        ("All weights", _known(number, total)),
        ("Effective batch", _known(number, resources.get("effective_batch_size"))),
    ]
    return [(name, value) for name, value in found if value is not None]


def _each_epoch(seconds: list[float]) -> Markup | None:
    """Only where there are several, and few enough for a line."""
    return Markup(", ").join(map(duration, seconds)) if 1 < len(seconds) <= MOST_EPOCHS else None


def _known(shown: Any, value: float | None) -> Any:
    return None if value is None else shown(value)


def _speed(value: float) -> Markup:
    return with_unit(number(value), "tokens/s")


def against(settings: Settings, run: Run, baseline: Run | None) -> list[Against]:
    """By how much the run differs from its experiment's baseline, where the two compare."""
    if baseline is None or baseline.id == run.id:
        return []
    spreads = differences.intervals(settings, run.id or 0, baseline.id or 0)
    found = []
    for metric in COMPARED:
        ours, theirs = _finetuned(run, metric), _finetuned(baseline, metric)
        if ours is not None and theirs is not None and comparable(run, baseline, metric.short):
            found.append(Against(metric, ours - theirs, spreads.get(metric.short)))
    return found


def _finetuned(run: Run, metric: Metric) -> float | None:
    value: float | None = ((run.results or {}).get("finetuned") or {}).get(metric.short)
    return value


def settings_of(run: Run, baseline: Run | None) -> list[Setting]:
    """All settings in the order of the form."""
    mine = flatten(run.config)
    theirs = flatten(baseline.config) if baseline and baseline.id != run.id else mine
    return [
        Setting(name, LABELS[name], _shown(value), setting(value), value != theirs.get(name), _shown(theirs.get(name)))
        for name, value in mine.items()
        if name in LABELS
    ]


def main_settings(settings: list[Setting]) -> list[Setting]:
    """What the rail has room for: the common ones, and whatever differs; the two batch sizes as their product."""
    by_name = {entry.name: entry for entry in settings}
    behind = set(JOINED.values())
    told = [entry for entry in settings if entry.differs or (entry.name in COMMON and entry.value != NOTHING)]
    chosen = [entry for entry in told if entry.name not in behind]
    return [_with_joined(entry, by_name.get(JOINED.get(entry.name, ""))) for entry in chosen]


def _with_joined(entry: Setting, joined: Setting | None) -> Setting:
    if joined is None or not (entry.value.isdecimal() and joined.value.isdecimal()):
        return entry
    product = f"{entry.value} × {joined.value} = {int(entry.value) * int(joined.value)}"
    return Setting(entry.name, "Batch", product, product, entry.differs or joined.differs, entry.baseline)


def _shown(value: Any) -> str:
    """A template of many lines is shown in full where all settings are, not among the figures."""
    text = setting(value)
    return "own text" if "\n" in text or len(text) > 80 else text
