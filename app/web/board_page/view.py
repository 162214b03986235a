"""The leaderboard as a page shows it: each row beside its experiment's baseline, what differs and by how much.

A row of a configuration is seen beside its baseline's configuration: means over seeds on both sides.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from sqlmodel import Session

from app import metrics, waiting
from app.board.comparable import comparable
from app.board.leaderboard import BaseRow, Group, Leaderboard, RankedRow
from app.board.replicates import Replicates, replicates
from app.experiments import baselines
from app.metrics import Metric
from app.models import Experiment, Run
from app.settings import Settings
from app.statistics.differences import compare
from app.statistics.significance import Interval
from app.status import ENDED, RunStatus
from app.web import settings_view
from app.web.numbers import TimeScale, number, signed
from app.web.settings_view import SettingCell

OPEN_ORDER = (RunStatus.RUNNING, RunStatus.QUEUED, RunStatus.FAILED, RunStatus.CANCELLED)


@dataclass(frozen=True)
class MetricCell:
    """`delta` is against the baseline, None where there is none to compare with; its `interval` may be unknown.

    `spread` is the standard deviation over seeds, where the row stands for several.
    """

    metric: Metric
    value: float | None
    is_best: bool
    delta: float | None
    interval: Interval | None
    spread: float | None = None


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
    replicates: Replicates | None
    is_baseline: bool

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
        _baselines(session, leaderboard),
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


def _baselines(session: Session, leaderboard: Leaderboard) -> dict[int, list[Run]]:
    """By experiment, its baseline and, in a table of configurations, the runs that differ from it by their seed."""
    rows = [*(row for group in leaderboard.groups for row in group.rows), *leaderboard.unranked]
    found = baselines(session, (row.experiment for row in rows))
    if not any(row.replicates for row in rows):
        return {experiment: [run] for experiment, run in found.items()}
    alike = {experiment: replicates(session, run) for experiment, run in found.items()}
    return {
        experiment: [run, *(other for other in alike[experiment] if other.id != run.id)]
        for experiment, run in found.items()
    }


def _what_comes_first(row: Row) -> tuple[int, int, int]:
    """Running, then waiting in the queue's order, then what went wrong, newest first."""
    return OPEN_ORDER.index(row.run.status), row.place or 0, -(row.run.id or 0)


@dataclass(frozen=True)
class _Context:
    """What a row is seen against."""

    settings: Settings
    baselines: dict[int, list[Run]]
    places: dict[int | None, int]
    times: TimeScale

    def row(self, ranked: RankedRow) -> Row:
        run = ranked.run
        theirs = self.baselines.get(ranked.experiment.id or 0, [])
        baseline = theirs[0] if theirs else None
        is_baseline = baseline is not None and baseline.id in {own.id for own in ranked.runs}
        against = [] if is_baseline else theirs
        return Row(
            run,
            ranked.experiment,
            baseline,
            ranked.rank,
            settings_view.columns(run, baseline),
            settings_view.others(run, baseline),
            self._metrics(ranked, against),
            self._time(ranked.runs, against),
            _memory(ranked.runs, against),
            self.places.get(run.id),
            ranked.replicates,
            is_baseline,
        )

    def _metrics(self, ranked: RankedRow, against: Sequence[Run]) -> list[MetricCell]:
        deltas = {metric.short: _delta(ranked, against, metric) for metric in metrics.COMPARED}
        compares = any(delta is not None for delta in deltas.values())
        sure = compare(self.settings, _ids(against), _ids(ranked.runs)) if compares else {}
        spread = ranked.replicates.spread if ranked.replicates else {}
        return [
            MetricCell(
                metric,
                ranked.values.get(metric.name),
                metric.name in ranked.best,
                deltas[metric.short],
                sure[metric.short].absolute if metric.short in sure else None,
                spread.get(metric.name),
            )
            for metric in metrics.COMPARED
        ]

    def _time(self, runs: Sequence[Run], against: Sequence[Run]) -> CostCell:
        ours, theirs = (self.times.scaled(_resource(side, "train_seconds")) for side in (runs, against))
        return CostCell(number(ours), self.times.unit, _cost_delta(ours, theirs, 0))


def _ids(runs: Sequence[Run]) -> list[int]:
    return [run.id or 0 for run in runs]


def _delta(ranked: RankedRow, against: Sequence[Run], metric: Metric) -> float | None:
    """None where the two were not asked the same: their difference would mean nothing."""
    value = ranked.values.get(metric.name)
    if not against or value is None or not comparable(ranked.run, against[0], metric.short):
        return None
    theirs = _mean(((run.results or {}).get("finetuned") or {}).get(metric.short) for run in against)
    return None if theirs is None else value - theirs


def _memory(runs: Sequence[Run], against: Sequence[Run]) -> CostCell:
    ours, theirs = (_resource(side, "peak_memory_bytes") for side in (runs, against))
    ours, theirs = (None if value is None else value / 1e9 for value in (ours, theirs))
    is_rss = (runs[0].resources or {}).get("memory_kind") == "rss"
    return CostCell(number(ours, 1), "GB", _cost_delta(ours, theirs, 1), "RSS" if is_rss else "")


def _resource(runs: Sequence[Run], name: str) -> float | None:
    return _mean((run.resources or {}).get(name) for run in runs)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _cost_delta(ours: float | None, theirs: float | None, decimals: int) -> str:
    if ours is None or theirs is None:
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
