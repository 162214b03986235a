"""The runs of a comparison, in the order asked for, and the one that all others are set against: the baseline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from app import experiments, ids
from app.errors import Invalid
from app.metrics import COMPARED
from app.models import Experiment, Run, RunValue
from app.status import RunStatus

FEWEST_RUNS, MOST_RUNS = 2, 100
MOST_CANDIDATES = 20
# The palette of the charts has so many colours; with more runs all are grey until one is singled out.
COLOURS = 7
BASELINE_SLOT = "b"
BEST_FIRST = COMPARED[0].name


@dataclass(frozen=True)
class Chosen:
    """The baseline comes first, the others as they were asked for. `missing` are ids of runs that are not there."""

    runs: tuple[Run, ...]
    baseline: Run
    missing: tuple[int, ...] = ()
    experiments: dict[int, Experiment] = field(default_factory=dict)

    @property
    def ids(self) -> list[int]:
        return [run.id or 0 for run in self.runs]

    @property
    def others(self) -> tuple[Run, ...]:
        """All but the baseline."""
        return self.runs[1:]

    @property
    def slots(self) -> dict[int, str]:
        """By run id its colour: `b` of the baseline, 1 to 7 of the others, empty where there are more of them."""
        others = self.ids[1:]
        places = {run_id: str(place) if len(others) <= COLOURS else "" for place, run_id in enumerate(others, 1)}
        return {self.ids[0]: BASELINE_SLOT} | places


def parse_runs(texts: Iterable[str]) -> list[int]:
    """Ids as an address has them, `1,2` or one at a time; each once, in the order given."""
    words = [word.strip() for text in texts for word in text.split(",") if word.strip()]
    if len(words) > 10 * MOST_RUNS:
        raise Invalid.one("runs", _too_many(len(words)))
    found = [(word, ids.parse(word)) for word in words]
    if unknown := [word for word, run_id in found if run_id is None]:
        raise Invalid.one("runs", f"{unknown[0][:40]} is not the id of a run")
    return list(dict.fromkeys(run_id for _, run_id in found if run_id is not None))


def choose(session: Session, wanted: Sequence[int], baseline: int | None, *, fewest: int = FEWEST_RUNS) -> Chosen:
    """The runs that are there; `baseline` is one of them even where it was not asked for.

    Without a baseline it is the first run that is its experiment's, else the first of all.
    """
    asked = list(dict.fromkeys([*wanted, *([baseline] if baseline else [])]))
    if len(asked) > MOST_RUNS:
        raise Invalid.one("runs", _too_many(len(asked)))
    found = {run.id: run for run in session.exec(select(Run).where(col(Run.id).in_(asked)))}
    runs = [found[run_id] for run_id in asked if run_id in found]
    missing = tuple(run_id for run_id in asked if run_id not in found)
    if len(runs) < fewest:
        raise Invalid.one("runs", _too_few(missing, fewest))
    of = {run.experiment_id for run in runs}
    asking = {e.id or 0: e for e in session.exec(select(Experiment).where(col(Experiment.id).in_(of)))}
    first = found[baseline] if baseline in found else _own_baseline(session, runs, asking.values())
    return Chosen((first, *(run for run in runs if run is not first)), first, missing, asking)


def of_experiment(session: Session, experiment_id: int) -> list[int]:
    """Its runs with results, in the order in which they were made; where there are too many, the best of them."""
    experiment = experiments.get_experiment(session, experiment_id)
    mine = col(Run.experiment_id) == experiment_id
    perplexity = select(RunValue.last).where(RunValue.run_id == Run.id, RunValue.name == BEST_FIRST).scalar_subquery()
    finished = select(Run.id).where(mine, Run.status == RunStatus.COMPLETED)
    best = session.exec(finished.order_by(perplexity.nulls_last(), col(Run.id)).limit(MOST_RUNS)).all()
    first = experiments.baselines(session, [experiment]).get(experiment_id)
    found = [run_id for run_id in best if run_id is not None]
    if first is not None and first.id is not None and first.id not in found and found:
        found = [*found[: MOST_RUNS - 1], first.id]
    return sorted(found)


def candidates(session: Session, chosen: Chosen) -> list[Run]:
    """Other runs that answer the same questions, those with results first, the newest before the others."""
    statement = (
        select(Run)
        .where(col(Run.experiment_id).in_(chosen.experiments), col(Run.id).not_in(chosen.ids))
        .order_by(col(Run.status) != RunStatus.COMPLETED, col(Run.id).desc())
        .limit(MOST_CANDIDATES)
    )
    return list(session.exec(statement)) if len(chosen.runs) < MOST_RUNS else []


def _own_baseline(session: Session, runs: Sequence[Run], asking: Iterable[Experiment]) -> Run:
    theirs = {run.id for run in experiments.baselines(session, asking).values()}
    return next((run for run in runs if run.id in theirs), runs[0])


def _too_many(count: int) -> str:
    return f"At most {MOST_RUNS} runs can be compared at once, and these are {count:,}"


def _too_few(missing: Sequence[int], fewest: int) -> str:
    gone = f"; there is no run {', '.join(map(str, missing[:5]))}" if missing else ""
    return f"Comparing takes {'two runs' if fewest == FEWEST_RUNS else 'a run'} or more: `runs=1,2`{gone}"
