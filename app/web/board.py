"""The leaderboard as a page shows it: each row beside its experiment's baseline, what differs and by how much."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session

from app import metrics, waiting
from app.comparable import comparable
from app.differences import intervals
from app.experiments import baselines
from app.leaderboard import BaseRow, Group, Leaderboard, RankedRow
from app.metrics import Metric
from app.models import Experiment, Run
from app.settings import Settings
from app.significance import Interval
from app.status import ENDED, RunStatus
from app.web import settings_view
from app.web.numbers import TimeScale, number, signed
from app.web.settings_view import SettingCell

OPEN_ORDER = (RunStatus.RUNNING, RunStatus.QUEUED, RunStatus.FAILED, RunStatus.CANCELLED)


@dataclass(frozen=True)
class MetricCell:
    """`delta` is against the baseline, None where there is none to compare with; its `interval` may be unknown."""

    metric: Metric
    value: float | None
    is_best: bool
    delta: float | None
    interval: Interval | None


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


def board(session: Session, settings: Settings, leaderboard: Leaderboard) -> Board:
    ranked = [row for group in leaderboard.groups for row in group.rows]
    context = _Context(
        settings,
        baselines(session, (row.experiment for row in (*ranked, *leaderboard.unranked))),
        {run.id: place for place, (run, _) in enumerate(waiting.waiting(session), start=1)},
        TimeScale.of((row.run.resources or {}).get("train_seconds") for row in ranked),
    )
    sections = [Section(group, [context.row(row) for row in group.rows], group.bases) for group in leaderboard.groups]
    waiting_rows = sorted((context.row(row) for row in leaderboard.unranked), key=_what_comes_first)
    return Board(
        sections,
        waiting_rows,
        _scale(row for section in sections for row in section.rows),
    )


def _what_comes_first(row: Row) -> tuple[int, int, int]:
    """Running, then waiting in the queue's order, then what went wrong, newest first."""
    return OPEN_ORDER.index(row.run.status), row.place or 0, -(row.run.id or 0)


@dataclass(frozen=True)
class _Context:
    """What a row is seen against."""

    settings: Settings
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
            self._metrics(ranked, baseline),
            self._time(run, baseline),
            _memory(run, baseline),
            self.places.get(run.id),
        )

    def _metrics(self, ranked: RankedRow, baseline: Run | None) -> list[MetricCell]:
        deltas = {metric.short: _delta(ranked, baseline, metric) for metric in metrics.COMPARED}
        compares = baseline is not None and any(delta is not None for delta in deltas.values())
        spread = intervals(self.settings, ranked.run.id or 0, baseline.id or 0) if baseline and compares else {}
        return [
            MetricCell(
                metric,
                ranked.values.get(metric.name),
                metric.name in ranked.best,
                deltas[metric.short],
                spread.get(metric.short),
            )
            for metric in metrics.COMPARED
        ]

    def _time(self, run: Run, baseline: Run | None) -> CostCell:
        ours, theirs = _resource(run, "train_seconds"), _resource(baseline, "train_seconds")
        scaled = self.times.scaled(ours)
        return CostCell(
            number(scaled), self.times.unit, _cost_delta(run, baseline, scaled, self.times.scaled(theirs), 0)
        )


def _delta(ranked: RankedRow, baseline: Run | None, metric: Metric) -> float | None:
    """None where the two were not asked the same: their difference would mean nothing."""
    run, value = ranked.run, ranked.values.get(metric.name)
    if baseline is None or baseline.id == run.id or value is None or not comparable(run, baseline, metric.short):
        return None
    theirs = ((baseline.results or {}).get("finetuned") or {}).get(metric.short)
    return None if theirs is None else value - theirs


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
    """From the lowest to the highest perplexity difference with its interval, zero inside, and a little room."""
    cells = [row.metrics[0] for row in rows if row.metrics[0].delta is not None]
    ends = [0.0, *(end for cell in cells for end in (cell.delta or 0.0, *(cell.interval or ())))]
    low, high = min(ends), max(ends)
    room = 0.06 * ((high - low) or 1.0)
    return low - room, high + room
