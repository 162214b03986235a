"""The first screen in words and numbers: what is running, what is best and whether it is real, what has changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from app import experiments, series, waiting, workers
from app.board.comparable import comparable
from app.board.leaderboard import Leaderboard, RankedRow
from app.board.order import first_values
from app.board.run_columns import column
from app.metrics import BY_SHORT, is_better
from app.models import Experiment, Run, Worker
from app.settings import Settings
from app.statistics.differences import intervals
from app.statistics.significance import Interval
from app.status import RunStatus
from app.web import settings_view
from app.web.settings_view import SettingCell
from app.web.spark import Spark, spark

PERPLEXITY = BY_SHORT["perplexity"]
MOST_CHANGES = 5
SPARK_POINTS = 240


@dataclass(frozen=True)
class Running:
    run: Run
    differences: list[SettingCell]
    loss: float | None
    memory: float | None
    curve: Spark | None


@dataclass(frozen=True)
class Rival:
    """A run that the best one is held against: by how much its perplexity differs, and how sure that is."""

    run: Run
    delta: float
    interval: Interval | None


@dataclass(frozen=True)
class Best:
    """The leader of the newest group of comparable runs, and what stands between it and the others."""

    row: RankedRow
    baseline: Run | None
    differences: list[SettingCell]
    rivals: list[Rival]
    seeds: int  # finished runs that differ from it in nothing but the seed, itself among them
    seeds_to_come: int


@dataclass(frozen=True)
class Change:
    """A run that ended; `delta` is its perplexity's distance to the baseline."""

    run: Run
    delta: float | None
    against: str
    is_new_best: bool


@dataclass(frozen=True)
class Highlights:
    running: Running | None
    beside: list[Run]  # what else runs, with other workers
    next: list[Run]
    workers: list[Worker]  # alive
    best: Best | None
    changes: list[Change]


def highlights(session: Session, settings: Settings, leaderboard: Leaderboard) -> Highlights:
    """`leaderboard` is sorted by perplexity, best first; its first two rows are looked at."""
    running, queued = waiting.running(session), waiting.waiting(session)
    return Highlights(
        _running(session, *running[0]) if running else None,
        [run for run, _ in running[1:]],
        [run for run, _ in queued],
        [worker for worker, is_alive in workers.list_workers(session) if is_alive],
        _best(session, settings, leaderboard),
        _changes(session),
    )


def _running(session: Session, run: Run, experiment: Experiment) -> Running:
    baseline = experiments.baselines(session, [experiment]).get(run.experiment_id)
    points = {
        s.name: s for s in series.read_series(session, run.id or 0, ("train/loss", "system/memory"), SPARK_POINTS)
    }
    loss, memory = points.get("train/loss"), points.get("system/memory")
    pairs = (
        [(step, value) for step, value in zip(loss.steps, loss.values, strict=True) if value is not None]
        if loss
        else []
    )
    return Running(
        run,
        settings_view.differences(run, baseline),
        pairs[-1][1] if pairs else None,
        memory.values[-1] if memory else None,
        spark(pairs, run.total_steps),
    )


def _best(session: Session, settings: Settings, leaderboard: Leaderboard) -> Best | None:
    if not leaderboard.groups or not leaderboard.groups[0].rows:
        return None
    row, *others = leaderboard.groups[0].rows[:2]
    if row.values.get(PERPLEXITY.name) is None:
        return None
    baseline = experiments.baselines(session, [row.experiment]).get(row.run.experiment_id)
    alike = _differing_in_seed(session, row.run)
    return Best(
        row,
        baseline,
        settings_view.differences(row.run, baseline),
        _rivals(settings, row.run, [*([baseline] if baseline else []), *(other.run for other in others)]),
        1 + sum(run.status == RunStatus.COMPLETED for run in alike),
        sum(run.status in (RunStatus.QUEUED, RunStatus.RUNNING) for run in alike),
    )


def _rivals(settings: Settings, run: Run, others: Sequence[Run]) -> list[Rival]:
    """Each once; those that do not compare with it are none."""
    rivals = {}
    for other in others:
        delta = perplexity_delta(run, other)
        if delta is not None and other.id not in rivals:
            interval = intervals(settings, run.id or 0, other.id or 0).get(PERPLEXITY.short)
            rivals[other.id] = Rival(other, delta, interval)
    return list(rivals.values())


def _differing_in_seed(session: Session, run: Run) -> list[Run]:
    """Of the same experiment."""
    alike = Run.configuration == run.configuration, Run.experiment_id == run.experiment_id
    return list(session.exec(select(Run).where(*alike, Run.id != run.id)))


def _changes(session: Session) -> list[Change]:
    """The last runs to end, newest first."""
    newest = col(Run.finished_at).desc()
    statement = select(Run).where(col(Run.finished_at).is_not(None)).order_by(newest)
    runs = list(session.exec(statement.limit(MOST_CHANGES)))
    used = session.exec(select(Experiment).where(col(Experiment.id).in_({run.experiment_id for run in runs})))
    baselines = experiments.baselines(session, used)
    leaders = _new_bests(session, reversed(runs))
    return [_change(run, baselines.get(run.experiment_id), is_new_best=run.id in leaders) for run in runs]


def _change(run: Run, baseline: Run | None, *, is_new_best: bool) -> Change:
    return Change(run, perplexity_delta(run, baseline), baseline.name if baseline else "", is_new_best)


def _new_bests(session: Session, ended: Iterable[Run]) -> set[int | None]:
    """Which of the runs, as they ended, beat all that had finished before; the first of its kind beats nobody."""
    found: set[int | None] = set()
    best: dict[str, float | None] = {}
    for run in ended:
        value, kind = _perplexity(run), run.perplexity_key
        if value is None or kind is None:
            continue
        if kind not in best:
            best[kind] = _best_before(session, run)
        so_far = best[kind]
        if so_far is not None and is_better(PERPLEXITY, value, so_far):
            found.add(run.id)
        best[kind] = value if so_far is None else min(value, so_far)
    return found


def _best_before(session: Session, run: Run) -> float | None:
    """Of the runs of its kind; there may be thousands of them, or none among thousands of others."""
    alike = [
        col(Run.status) == RunStatus.COMPLETED,
        col(Run.fingerprint) == run.fingerprint,
        col(Run.perplexity_key) == run.perplexity_key,
    ]
    count = session.exec(select(func.count()).select_from(Run).where(*alike)).one()
    earlier = [*alike, col(Run.finished_at) < run.finished_at]
    return next(iter(first_values(session, column(PERPLEXITY.name), earlier, count, 1)), None)


def perplexity_delta(run: Run, baseline: Run | None) -> float | None:
    if baseline is None or baseline.id == run.id or not comparable(run, baseline, PERPLEXITY.short):
        return None
    ours, theirs = _perplexity(run), _perplexity(baseline)
    return None if ours is None or theirs is None else ours - theirs


def _perplexity(run: Run) -> float | None:
    value: float | None = ((run.results or {}).get("finetuned") or {}).get(PERPLEXITY.short)
    return value
