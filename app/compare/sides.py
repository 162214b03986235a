"""Whose answers stand side by side: the base's, each run's, and what each of them is set against."""

from dataclasses import dataclass

from app.board.comparable import comparable
from app.compare import answers
from app.compare.answers import AnswerFile, Answers, Model
from app.compare.chosen import Chosen
from app.models import Run
from app.settings import Settings
from app.status import RunStatus

BASE = "base"


@dataclass(frozen=True)
class Side:
    """One model. `name` is how addresses call it: a run's id, `base`, or `base-12` where bases differ.

    `before` is what it is set against; None for what others are set against.
    """

    name: str
    run: Run
    answers: Answers
    before: "Side | None" = None

    @property
    def model(self) -> Model:
        return self.answers.model

    def compares(self, score: str) -> bool:
        """Whether a difference to what it is set against means anything."""
        return self.before is not None and comparable(self.run, self.before.run, score)


@dataclass(frozen=True)
class LeftOut:
    """A run whose answers are not shown, and why."""

    run: Run
    reason: str


@dataclass(frozen=True)
class Sides:
    """`baseline` is a run's side; None: every run is set against its own base model."""

    bases: tuple[Side, ...]
    tuned: tuple[Side, ...]
    baseline: Side | None
    left_out: tuple[LeftOut, ...]

    @property
    def every(self) -> tuple[Side, ...]:
        return (*self.bases, *self.tuned)

    @property
    def lead(self) -> Side | None:
        """Whose rows are shown."""
        return self.baseline or next(iter(self.tuned), None)


def build(settings: Settings, chosen: Chosen, *, against_base: bool) -> Sides:
    """The baseline comes first; one that has left no answers gives way to the first run that has."""
    found = [(run, answers.find(settings, run.id or 0, files=len(chosen.runs))) for run in chosen.runs]
    files = [(run, file) for run, file in found if file is not None]
    left_out = tuple(LeftOut(run, _why(run)) for run, file in found if file is None)
    if not files:
        return Sides((), (), None, left_out)
    bases = _bases(files)
    if against_base or len(files) == 1:
        tuned = tuple(_tuned(run, file, bases[_base_key(run)]) for run, file in files)
        return Sides(tuple(bases.values()), tuned, None, left_out)
    baseline = _tuned(*files[0], None)
    others = (_tuned(run, file, baseline) for run, file in files[1:])
    return Sides(tuple(bases.values()), (baseline, *others), baseline, left_out)


def _tuned(run: Run, file: AnswerFile, before: Side | None) -> Side:
    return Side(str(run.id), run, answers.answers(file, "finetuned"), before)


def _bases(files: list[tuple[Run, AnswerFile]]) -> dict[str, Side]:
    """By what was measured: runs of one base model under one quantisation share its answers."""
    first: dict[str, tuple[Run, AnswerFile]] = {}
    for run, file in files:
        first.setdefault(_base_key(run), (run, file))
    names = {key: BASE if len(first) == 1 else f"{BASE}-{run.id}" for key, (run, _) in first.items()}
    return {key: Side(names[key], run, answers.answers(file, "base")) for key, (run, file) in first.items()}


def _base_key(run: Run) -> str:
    return run.baseline_key or f"run {run.id}"


def _why(run: Run) -> str:
    if run.import_id is not None:
        return "it was imported: its answers are not known"
    if run.status in (RunStatus.QUEUED, RunStatus.RUNNING):
        return "its answers follow when it has finished"
    return f"it {run.status}: no answers were kept" if run.status != RunStatus.COMPLETED else "its answers are gone"
