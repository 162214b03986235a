"""The table of runs as a page shows it: each row beside the run that it is seen against, what differs and by how much.

That run is its experiment's baseline, or one that was pinned. A row of a configuration is seen beside the baseline's
configuration: means over seeds on both sides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from sqlmodel import Session, col, select

from app import waiting
from app.board.comparable import comparable
from app.board.leaderboard import BaseRow, Group, Leaderboard, RankedRow
from app.board.replicates import Replicates, replicates
from app.experiments import baselines
from app.metrics import Metric
from app.models import Dataset, Experiment, Run
from app.settings import Settings
from app.statistics.differences import compare
from app.status import RunStatus
from app.web import settings_view
from app.web.board_page.cells import MetricCell, Scale
from app.web.board_page.heads import NAMES_OF_ROWS, Block, Head, heads
from app.web.settings_view import SettingCell

OPEN_ORDER = (RunStatus.RUNNING, RunStatus.QUEUED, RunStatus.FAILED, RunStatus.CANCELLED)


@dataclass(frozen=True)
class Row:
    """`cells` are by column; `others` are the settings that differ and have no column."""

    run: Run
    experiment: Experiment
    baseline: Run | None
    rank: int | None
    cells: Mapping[str, Any]
    others: list[SettingCell]
    place: int | None  # in the queue, from 1
    replicates: Replicates | None
    is_baseline: bool
    ids: Sequence[int]  # of the runs that the row stands for


@dataclass(frozen=True)
class Section:
    """A group of rows, or the runs without a result."""

    group: Group
    rows: list[Row]
    bases: list[BaseRow]


@dataclass(frozen=True)
class Board:
    heads: list[Head]
    sections: list[Section]
    open: list[Row]
    scale: tuple[float, float]  # of the intervals, the same for all rows, so that their zero lines join
    pinned: Run | None

    @property
    def width(self) -> int:
        """Cells of a row: tick and place before the columns, intervals among them."""
        return 2 + len(self.heads) + sum(head.has_intervals for head in self.heads)

    @property
    def measured(self) -> Block:
        return Block.of(self.heads)

    @property
    def shows(self) -> set[str]:
        return {head.name for head in self.heads}


def board(session: Session, settings: Settings, leaderboard: Leaderboard, pinned: Run | None = None) -> Board:
    shown = heads(leaderboard.columns)
    ranked = [row for group in leaderboard.groups for row in group.rows]
    context = _Context(
        settings,
        shown,
        _baselines(session, leaderboard, pinned),
        {run.id: place for place, (run, _) in enumerate(waiting.waiting(session), start=1)},
        {
            head.name: Scale.of(head.column, (row.values.get(head.name) for row in ranked))
            for head in shown
            if head.kind == "cost"
        },
        _datasets(session, shown),
    )
    sections = [Section(group, [context.row(row) for row in group.rows], group.bases) for group in leaderboard.groups]
    waiting_rows = sorted((context.row(row) for row in leaderboard.unranked), key=_what_comes_first)
    drawn = next((head.name for head in shown if head.has_intervals), "")
    return Board(
        shown,
        sections,
        waiting_rows,
        _scale(row.cells[drawn] for section in sections for row in section.rows if drawn),
        pinned,
    )


def _baselines(session: Session, leaderboard: Leaderboard, pinned: Run | None) -> dict[int, list[Run]]:
    """By experiment, what its rows are seen against: a run and, in a table of configurations, those of other seeds."""
    rows = [*(row for group in leaderboard.groups for row in group.rows), *leaderboard.unranked]
    used = {row.experiment.id or 0: row.experiment for row in rows}
    found = dict.fromkeys(used, pinned) if pinned else baselines(session, used.values())
    if not any(row.replicates for row in rows):
        return {experiment: [run] for experiment, run in found.items() if run}
    alike = {run.id: replicates(session, run) for run in found.values() if run}
    return {
        experiment: [run, *(other for other in alike[run.id] if other.id != run.id)]
        for experiment, run in found.items()
        if run
    }


def _datasets(session: Session, shown: Sequence[Head]) -> dict[int | None, str]:
    """Names of the data sets, where a column shows them."""
    if all(head.name != NAMES_OF_ROWS for head in shown):
        return {}
    return dict(session.exec(select(col(Dataset.id), col(Dataset.name))).all())


def _what_comes_first(row: Row) -> tuple[int, int, int]:
    """Running, then waiting in the queue's order, then what went wrong, newest first."""
    return OPEN_ORDER.index(row.run.status), row.place or 0, -(row.run.id or 0)


@dataclass(frozen=True)
class _Context:
    """What a row is seen against."""

    settings: Settings
    heads: Sequence[Head]
    baselines: dict[int, list[Run]]
    places: dict[int | None, int]
    scales: dict[str, Scale]
    datasets: dict[int | None, str]

    def row(self, ranked: RankedRow) -> Row:
        run = ranked.run
        theirs = self.baselines.get(ranked.experiment.id or 0, [])
        baseline = theirs[0] if theirs else None
        ids = _ids(ranked.runs)
        is_baseline = baseline is not None and baseline.id in ids
        return Row(
            run,
            ranked.experiment,
            baseline,
            ranked.rank,
            self._cells(ranked, baseline, [] if is_baseline else theirs),
            settings_view.others(run, baseline, {head.name for head in self.heads}),
            self.places.get(run.id),
            ranked.replicates,
            is_baseline,
            ids,
        )

    def _cells(self, ranked: RankedRow, baseline: Run | None, against: Sequence[Run]) -> dict[str, Any]:
        cells: dict[str, Any] = {head.name: ranked.values.get(head.name) for head in self.heads}
        names = [head.name for head in self.heads if head.column.kind == "setting"]
        cells |= {cell.name: self._named(ranked, cell) for cell in settings_view.cells(ranked.run, baseline, names)}
        cells |= self._metrics(ranked, against)
        for name, scale in self.scales.items():
            is_rss = scale.unit == "GB" and (ranked.run.resources or {}).get("memory_kind") == "rss"
            theirs = _mean((run.resources or {}).get(name) for run in against)
            cells[name] = scale.cell(ranked.values.get(name), theirs, "RSS" if is_rss else "")
        return cells

    def _named(self, ranked: RankedRow, cell: SettingCell) -> SettingCell:
        name = self.datasets.get(ranked.run.dataset_id)
        return SettingCell(cell.name, cell.label, name, cell.differs) if cell.name == NAMES_OF_ROWS and name else cell

    def _metrics(self, ranked: RankedRow, against: Sequence[Run]) -> dict[str, MetricCell]:
        measured = [(head.name, head.metric) for head in self.heads if head.metric]
        deltas = {name: _delta(ranked, against, metric, name) for name, metric in measured}
        compares = any(delta is not None for delta in deltas.values())
        sure = compare(self.settings, _ids(against), _ids(ranked.runs)) if compares else {}
        spread = ranked.replicates.spread if ranked.replicates else {}
        return {
            name: MetricCell(
                metric,
                ranked.values.get(name),
                name in ranked.best,
                deltas[name],
                sure[metric.short].absolute if metric.short in sure and deltas[name] is not None else None,
                spread.get(name),
            )
            for name, metric in measured
        }


def _ids(runs: Sequence[Run]) -> list[int]:
    return [run.id or 0 for run in runs]


def _delta(ranked: RankedRow, against: Sequence[Run], metric: Metric, name: str) -> float | None:
    """None where the two were not asked the same: their difference would mean nothing."""
    value = ranked.values.get(name)
    if name != metric.name or not against or value is None or not comparable(ranked.run, against[0], metric.short):
        return None
    theirs = _mean(((run.results or {}).get("finetuned") or {}).get(metric.short) for run in against)
    return None if theirs is None else value - theirs


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _scale(cells: Iterable[MetricCell]) -> tuple[float, float]:
    """From the lowest to the highest difference with its interval, zero inside, and a little room."""
    shown = [cell for cell in cells if cell.delta is not None]
    ends = [0.0, *(end for cell in shown for end in (cell.delta or 0.0, *(cell.interval or ())))]
    low, high = min(ends), max(ends)
    room = 0.06 * ((high - low) or 1.0)
    return low - room, high + room
