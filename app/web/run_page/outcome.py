"""What a run came to: base against fine-tuned, memory and time, and its settings beside its baseline's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from sqlmodel import Session

from app.experiments import RunCounts, baseline_run, count_runs
from app.metrics import COMPARED, Metric
from app.models import Baseline, Experiment, Run
from app.run_config import COMMON, LABELS, flatten
from app.web.forms import JOINED
from app.web.numbers import duration, gigabytes, number, setting, share, with_unit

MEMORY_KINDS = {"rss": "RSS, the whole process", "cuda": "CUDA allocator"}


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
            (results.get("base_plain") or {}).get(metric.short),
        )
        for metric in COMPARED
    ]


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
        ("Training", _known(duration, resources.get("train_seconds"))),
        ("Per epoch", _known(duration, resources.get("seconds_per_epoch"))),
        ("Per 1,000 rows", _known(duration, resources.get("seconds_per_1000_rows"))),
        ("Per 1,000 examples seen", _known(duration, resources.get("seconds_per_1000_examples"))),
        ("Evaluation", _known(duration, resources.get("evaluation_seconds"))),
        ("Speed", _known(_speed, resources.get("tokens_per_second"))),
        ("Trained weights", with_unit(number(trained), share(trained / total, 2)) if trained and total else None),
        ("All weights", _known(number, total)),
        ("Effective batch", _known(number, resources.get("effective_batch_size"))),
    ]
    return [(name, value) for name, value in found if value is not None]


def _known(shown: Any, value: float | None) -> Any:
    return None if value is None else shown(value)


def _speed(value: float) -> Markup:
    return with_unit(number(value), "tokens/s")


def baseline_of(session: Session, experiment: Experiment) -> Run | None:
    """The run that the experiment's other runs are compared with."""
    assert experiment.id is not None
    counts = count_runs(session, [experiment.id]).get(experiment.id, RunCounts())
    found = baseline_run(experiment, counts)
    return session.get(Run, found) if found else None


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
    chosen = [entry for entry in settings if (entry.name in COMMON or entry.differs) and entry.name not in behind]
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
