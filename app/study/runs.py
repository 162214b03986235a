"""The runs of an experiment as a study sees them: settings, results and cost, one object a run.

Runs are compared only inside one `comparable` group: runs launched here carry the keys of what was asked of them,
imported ones compare within their import.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

from app.board.comparable import comparable
from app.metrics import BY_SHORT, Metric, is_better
from app.study.overfitting import Losses

SEED = "training.seed"
Settings = dict[str, Any]


@dataclass(frozen=True)
class StudyRun:
    """One finished run. Settings by dotted name (imported runs: only what was stated); metrics by short name."""

    id: int
    name: str
    settings: Settings
    metrics: dict[str, float]
    resources: dict[str, Any] = field(default_factory=dict)
    base: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    losses: Losses = field(default_factory=Losses)
    notes: str = ""
    import_id: int | None = None
    fingerprint: str | None = None
    perplexity_key: str | None = None

    @property
    def imported(self) -> bool:
        return self.import_id is not None

    def comparable(self, other: "StudyRun", metric: Metric) -> bool:
        return comparable(self, other, metric.short)


@dataclass(frozen=True)
class Configuration:
    """Runs that differ by nothing but their seed: replicates of one setting."""

    runs: tuple[StudyRun, ...]

    @property
    def first(self) -> StudyRun:
        return self.runs[0]

    def values(self, metric: str) -> list[float]:
        return [run.metrics[metric] for run in self.runs if metric in run.metrics]

    def mean(self, metric: str) -> float | None:
        values = self.values(metric)
        return mean(values) if values else None

    def spread(self, metric: str) -> float | None:
        """Standard deviation over seeds; None with fewer than two."""
        values = self.values(metric)
        return stdev(values) if len(values) > 1 else None

    @property
    def memory_kind(self) -> str | None:
        """Of its memory: rss where any of it is, as that cannot be set against a GPU's; None where none is known."""
        kinds = [kind for run in self.runs if (kind := memory_kind(run)) is not None]
        return "rss" if "rss" in kinds else kinds[0] if kinds else None

    def resource(self, name: str) -> float | None:
        values = [run.resources[name] for run in self.runs if run.resources.get(name) is not None]
        return mean(values) if values else None


def configurations(runs: Iterable[StudyRun]) -> list[Configuration]:
    """Runs gathered by everything but the seed, in the order of their first run."""
    groups: dict[str, list[StudyRun]] = {}
    for run in runs:
        setting = {name: value for name, value in run.settings.items() if name != SEED}
        identity = repr((sorted(setting.items()), run.import_id, run.fingerprint))
        groups.setdefault(identity, []).append(run)
    return [Configuration(tuple(group)) for group in groups.values()]


def differing(a: StudyRun, b: StudyRun) -> list[str]:
    """Settings in which two runs differ, the seed apart; a setting that only one states counts as differing."""
    names = [*a.settings, *(name for name in b.settings if name not in a.settings)]
    return [name for name in names if name != SEED and a.settings.get(name) != b.settings.get(name)]


def best(candidates: Sequence[Configuration], metric: str) -> Configuration | None:
    """The configuration with the best mean; the earlier one where two tie."""
    found: Configuration | None = None
    for candidate in candidates:
        value, so_far = candidate.mean(metric), found.mean(metric) if found else None
        if value is not None and (so_far is None or is_better(BY_SHORT[metric], value, so_far)):
            found = candidate
    return found


def ties(candidates: Sequence[Configuration], winner: Configuration, metric: str) -> list[Configuration]:
    """The others that are exactly as good as the best."""
    return [c for c in candidates if c is not winner and c.mean(metric) == winner.mean(metric)]


def effective_batch_size(run: StudyRun) -> int | None:
    """Rows in one optimizer step, on average where its size was given in tokens; None where a part was not stated."""
    if run.settings.get("training.max_tokens_per_step"):
        return run.resources.get("effective_batch_size")
    rows = run.settings.get("training.per_device_train_batch_size")
    steps = run.settings.get("training.gradient_accumulation_steps")
    return int(rows * steps) if rows and steps else None


def memory_kind(run: StudyRun) -> str | None:
    """cuda, rss, or stated by an import; None where no memory is known."""
    if run.resources.get("peak_memory_bytes") is None:
        return None
    if run.imported:
        return "stated"
    return "rss" if run.resources.get("memory_kind") == "rss" else "cuda"
