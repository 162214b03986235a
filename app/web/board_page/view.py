"""The table of runs as a page shows it: each row beside the run that it is seen against, what differs and by how much.

That run is its experiment's baseline, or one that was pinned. A row of a configuration is seen beside the baseline's
configuration: means over seeds on both sides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session, col, select

from app import waiting
from app.board.bases import BaseRow
from app.board.deltas import Pinned, deltas, pinned
from app.board.leaderboard import Delta, Group, Leaderboard, RankedRow
from app.board.replicates import Replicates
from app.experiments import baselines
from app.models import Dataset, Experiment, Run
from app.settings import Settings
from app.status import RunStatus
from app.web import settings_view
from app.web.board_page.cells import MetricCell, Scale
from app.web.board_page.heads import NAMES_OF_ROWS, Block, Head, heads
from app.web.settings_view import SettingCell

SEED = "training.seed"  # of the first run of several, and so not the row's
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


def board(session: Session, settings: Settings, leaderboard: Leaderboard, pinned_run: Run | None = None) -> Board:
    shown = heads(leaderboard.columns)
    ranked = [row for group in leaderboard.groups for row in group.rows]
    context = _Context(
        settings,
        shown,
        _against(session, leaderboard, pinned_run),
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
        pinned_run,
    )


def _against(session: Session, leaderboard: Leaderboard, pinned_run: Run | None) -> dict[int, Pinned]:
    """By experiment, what its rows are seen against: a run and, in a table of configurations, those of other seeds."""
    rows = [*(row for group in leaderboard.groups for row in group.rows), *leaderboard.unranked]
    used = {row.experiment.id or 0: row.experiment for row in rows}
    runs = dict.fromkeys(used, pinned_run) if pinned_run else baselines(session, used.values())
    alike = any(row.replicates for row in rows)
    found = pinned(session, filter(None, runs.values()), leaderboard.columns, alike=alike)
    return {experiment: found[run.id] for experiment, run in runs.items() if run and run.id}


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
    against: dict[int, Pinned]
    places: dict[int | None, int]
    scales: dict[str, Scale]
    datasets: dict[int | None, str]

    def row(self, ranked: RankedRow) -> Row:
        run = ranked.run
        against = self.against.get(ranked.experiment.id or 0)
        baseline = against.runs[0] if against else None
        ids = [own.id or 0 for own in ranked.runs]
        shown = {head.name for head in self.heads} | ({SEED} if ranked.replicates else set())
        return Row(
            run,
            ranked.experiment,
            baseline,
            ranked.rank,
            self._cells(ranked, against),
            settings_view.others(run, baseline, shown),
            self.places.get(run.id),
            ranked.replicates,
            baseline is not None and baseline.id in ids,
            ids,
        )

    def _cells(self, ranked: RankedRow, against: Pinned | None) -> dict[str, Any]:
        found = deltas(self.settings, ranked, against, [head.column for head in self.heads]) if against else {}
        cells: dict[str, Any] = {head.name: ranked.values.get(head.name) for head in self.heads}
        cells |= self._settings(ranked.run, against.runs[0] if against else None)
        for head in self.heads:
            if head.metric:
                cells[head.name] = _metric(head, ranked, found.get(head.name))
            elif head.name in self.scales:
                cells[head.name] = self.scales[head.name].cell(
                    ranked.values.get(head.name), found.get(head.name), _how_measured(head, ranked.run)
                )
        return cells

    def _settings(self, run: Run, baseline: Run | None) -> dict[str, SettingCell]:
        names = [head.name for head in self.heads if head.column.kind == "setting"]
        cells = {cell.name: cell for cell in settings_view.cells(run, baseline, names)}
        if run.dataset_id in self.datasets:
            cells[NAMES_OF_ROWS] = replace(cells[NAMES_OF_ROWS], value=self.datasets[run.dataset_id])
        return cells


def _metric(head: Head, ranked: RankedRow, delta: Delta | None) -> MetricCell:
    assert head.metric is not None
    spread = ranked.replicates.spread.get(head.name) if ranked.replicates else None
    return MetricCell(head.metric, ranked.values.get(head.name), head.name in ranked.best, delta, spread)


def _how_measured(head: Head, run: Run) -> str:
    """Without a GPU, memory is the process's."""
    is_rss = head.column.unit == "bytes" and (run.resources or {}).get("memory_kind") == "rss"
    return "RSS" if is_rss else ""


def _scale(cells: Iterable[MetricCell]) -> tuple[float, float]:
    """From the lowest to the highest difference with its interval, zero inside, and a little room."""
    shown = [cell.delta for cell in cells if cell.delta is not None]
    ends = [0.0, *(end for delta in shown for end in (delta.absolute, *(delta.interval or ())))]
    low, high = min(ends), max(ends)
    room = 0.06 * ((high - low) or 1.0)
    return low - room, high + room
