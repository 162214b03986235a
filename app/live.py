"""What is new about runs since a moment ago: their state, and the points of their series. Read by a poller."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, or_, text
from sqlmodel import Session, col, select

from app import logs, run_state
from app.models import MetricName, Run
from app.runs import progress
from app.settings import Settings
from app.status import RunStatus

ACTIVE = (RunStatus.QUEUED, RunStatus.RUNNING)
# Without a list of runs, the first so many of those that run or wait are watched.
MOST_ACTIVE = 200
# More new points than this in one series: the reader is told to ask for the series instead.
MOST_POINTS = 32

# One look-up a series, however many points it has.
NEW_POINTS = text("""
SELECT step, value, time, epoch FROM metricpoint WHERE run_id = :run AND name_id = :name AND step >= :since
ORDER BY step LIMIT :limit
""")

# [step, value, time, epoch]
Point = list[float | int | None]
# As much as a curve shows of them: an event goes to every open page, and the series have them whole.
DIGITS, TIME_PLACES, EPOCH_PLACES = 6, 3, 4


@dataclass(frozen=True)
class News:
    """A run as it is now, with the points of the steps from where the reader was; `gone`: it was deleted."""

    run_id: int
    state: dict[str, Any] = field(default_factory=dict)
    points: dict[str, list[Point]] = field(default_factory=dict)
    truncated: bool = False
    gone: bool = False

    @property
    def step(self) -> int:
        """The last one that is done."""
        reached: int = self.state.get("progress", {}).get("step", 0)
        return reached

    @property
    def read_on(self) -> int:
        """From which step on news may come: points may lag behind, and a later attempt begins at an earlier step."""
        last = max((int(points[-1][0] or 0) for points in self.points.values() if points), default=self.step)
        return min(self.step, last)


def fresh(before: News | None, news: News) -> News | None:
    """What of it is new; None: nothing is."""
    if before is None:
        return news
    known = {(name, point[0]): point for name, points in before.points.items() for point in points}
    points = {
        name: new
        for name, found in news.points.items()
        if (new := [point for point in found if known.get((name, point[0])) != point])
    }
    if not points and news.state == before.state and news.gone == before.gone:
        return None
    return replace(news, points=points)


def joined(earlier: News, news: News) -> News:
    """Two changes of a run as one."""
    points = {name: list(found) for name, found in earlier.points.items()}
    truncated = earlier.truncated or news.truncated
    for name, found in news.points.items():
        both = [*points.get(name, []), *found]
        truncated = truncated or len(both) > MOST_POINTS
        points[name] = both[-MOST_POINTS:]
    return replace(news, points=points, truncated=truncated)


def read_news(
    session: Session, settings: Settings, ids: Iterable[int], *, active: bool, since: Mapping[int, int]
) -> list[News]:
    """Of these runs and, with `active`, of what runs or waits; points from the step in `since` on, that one included.

    Of a run that is not in `since`, from its own last step on.
    """
    wanted = set(ids)
    condition: ColumnElement[bool] = col(Run.id).in_(wanted)
    if active:
        condition = or_(condition, col(Run.status).in_(ACTIVE))
    # Where there are too many, those that run come first.
    order = col(Run.status).desc(), col(Run.id)
    found = session.exec(select(Run).where(condition).order_by(*order).limit(len(wanted) + MOST_ACTIVE)).all()
    names = {name.id or 0: name.name for name in session.exec(select(MetricName))}
    news = [_read(session, settings, run, names, since.get(run.id or 0, run.step)) for run in found]
    return [*news, *(News(run_id, gone=True) for run_id in sorted(wanted - {run.id for run in found}))]


def _read(session: Session, settings: Settings, run: Run, names: Mapping[int, str], since: int) -> News:
    assert run.id is not None
    points: dict[str, list[Point]] = {}
    truncated = False
    for name_id, name in names.items() if run.attempt else ():
        which = {"run": run.id, "name": name_id, "since": since, "limit": MOST_POINTS + 1}
        rows = [_point(*row) for row in session.connection().execute(NEW_POINTS, which)]
        truncated = truncated or len(rows) > MOST_POINTS
        if rows:
            points[name] = rows[:MOST_POINTS]
    return News(run.id, _state(settings, run), points, truncated)


def _point(step: int, value: float | None, time: float, epoch: float) -> Point:
    short = None if value is None else float(f"{value:.{DIGITS}g}")
    return [step, short, round(time, TIME_PLACES), round(epoch, EPOCH_PLACES)]


def _state(settings: Settings, run: Run) -> dict[str, Any]:
    """Small, and different whenever a page that shows the run would be."""
    log = logs.path(settings, run.id or 0)
    return {
        "run": run.id,
        "status": run.status,
        "stage": run_state.stage(run),
        "tries_again_in": math.ceil(run_state.tries_again_in(run) or 0),
        "attempt": run.attempt,
        "cancel_requested": run.cancel_requested,
        "queue_position": run.queue_position,
        "warnings": len(run.warnings),
        "progress": progress(run),
        "log_bytes": log.stat().st_size if log.is_file() else 0,
    }
