"""The leaderboard as a page shows it: each row beside its experiment's baseline, what differs and by how much."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from app import metrics, waiting
from app.experiments import baselines
from app.leaderboard import BaseRow, Group, Leaderboard, RankedRow
from app.metrics import Metric
from app.models import Experiment, Run
from app.status import ENDED
from app.web import settings_view
from app.web.numbers import TimeScale, number, signed
from app.web.settings_view import SettingCell


@dataclass(frozen=True)
class MetricCell:
    """`delta` is against the baseline, None where there is none to compare with."""

    metric: Metric
    value: float | None
    is_best: bool
    delta: float | None


@dataclass(frozen=True)
class CostCell:
    """Time or memory: a trade and not a verdict, so its delta is text without a colour."""

    value: str
    unit: str
    delta: str
    note: str = ""


@dataclass(frozen=True)
class Row:
    run: Run
    experiment: Experiment
    baseline: Run | None
    rank: int | None
    settings: list[SettingCell]
    others: list[SettingCell]
    metrics: list[MetricCell]
    time: CostCell
    memory: CostCell
    place: int | None  # in the queue, from 1

    @property
    def is_baseline(self) -> bool:
        return self.baseline is not None and self.baseline.id == self.run.id

    @property
    def has_ended(self) -> bool:
        return self.run.status in ENDED

    def improvement(self, short: str) -> float | None:
        """Relative to the base model."""
        value: float | None = ((self.run.results or {}).get("improvement") or {}).get(short)
        return value

    def interval(self, short: str) -> list[float] | None:
        value: list[float] | None = ((self.run.results or {}).get("intervals") or {}).get(short)
        return value


@dataclass(frozen=True)
class Section:
    """A group of rows, or the runs without a result."""

    group: Group
    rows: list[Row]
    bases: list[BaseRow]


@dataclass(frozen=True)
class Board:
    sections: list[Section]
    open: list[Row]
    scale: tuple[float, float]  # of the intervals, the same for all rows, so that their zero lines join


def board(session: Session, leaderboard: Leaderboard) -> Board:
    ranked = [row for group in leaderboard.groups for row in group.rows]
    context = _Context(
        baselines(session, (row.experiment for row in (*ranked, *leaderboard.unranked))),
        {run.id: place for place, (run, _) in enumerate(waiting.waiting(session), start=1)},
        TimeScale.of((row.run.resources or {}).get("train_seconds") for row in ranked),
    )
    sections = [Section(group, [context.row(row) for row in group.rows], group.bases) for group in leaderboard.groups]
    return Board(
        sections,
        [context.row(row) for row in leaderboard.unranked],
        _scale(row for section in sections for row in section.rows),
    )


@dataclass(frozen=True)
class _Context:
    """What a row is seen against."""

    baselines: dict[int, Run]
    places: dict[int | None, int]
    times: TimeScale

    def row(self, ranked: RankedRow) -> Row:
        run = ranked.run
        baseline = self.baselines.get(ranked.experiment.id or 0)
        return Row(
            run,
            ranked.experiment,
            baseline,
            ranked.rank,
            settings_view.columns(run, baseline),
            settings_view.others(run, baseline),
            [_metric(ranked, metric, baseline) for metric in metrics.COMPARED],
            self._time(run, baseline),
            _memory(run, baseline),
            self.places.get(run.id),
        )

    def _time(self, run: Run, baseline: Run | None) -> CostCell:
        ours, theirs = _resource(run, "train_seconds"), _resource(baseline, "train_seconds")
        scaled = self.times.scaled(ours)
        return CostCell(
            number(scaled), self.times.unit, _cost_delta(run, baseline, scaled, self.times.scaled(theirs), 0)
        )


def _metric(ranked: RankedRow, metric: Metric, baseline: Run | None) -> MetricCell:
    value = ranked.values.get(metric.name)
    return MetricCell(metric, value, metric.name in ranked.best, _delta(ranked.run, baseline, metric, value))


def _delta(run: Run, baseline: Run | None, metric: Metric, value: float | None) -> float | None:
    """None where the two were not asked the same: their difference would mean nothing."""
    if baseline is None or baseline.id == run.id or value is None or not comparable(run, baseline, metric.short):
        return None
    theirs = ((baseline.results or {}).get("finetuned") or {}).get(metric.short)
    return None if theirs is None else value - theirs


def comparable(run: Run, other: Run, short: str) -> bool:
    """Perplexity compares within a perplexity key, the other metrics within a fingerprint."""
    if short == "perplexity":
        return run.perplexity_key is not None and run.perplexity_key == other.perplexity_key
    return run.fingerprint is not None and run.fingerprint == other.fingerprint


def _memory(run: Run, baseline: Run | None) -> CostCell:
    ours, theirs = _resource(run, "peak_memory_bytes"), _resource(baseline, "peak_memory_bytes")
    ours, theirs = (None if value is None else value / 1e9 for value in (ours, theirs))
    is_rss = (run.resources or {}).get("memory_kind") == "rss"
    return CostCell(number(ours, 1), "GB", _cost_delta(run, baseline, ours, theirs, 1), "RSS" if is_rss else "")


def _resource(run: Run | None, name: str) -> float | None:
    value: float | None = ((run.resources if run else None) or {}).get(name)
    return value


def _cost_delta(run: Run, baseline: Run | None, ours: float | None, theirs: float | None, decimals: int) -> str:
    if baseline is None or baseline.id == run.id or ours is None or theirs is None:
        return ""
    difference = round(ours - theirs, decimals)
    return signed(difference, decimals) if difference else "="


def _scale(rows: Iterable[Row]) -> tuple[float, float]:
    """From the lowest to the highest end of all perplexity intervals, zero inside, with a little room."""
    ends: Sequence[float] = [0.0, *(end for row in rows for end in row.interval("perplexity") or ())]
    low, high = min(ends), max(ends)
    room = 0.06 * ((high - low) or 1.0)
    return low - room, high + room
