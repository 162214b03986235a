"""Rows that did not fit `max_length`, as runs have counted them: only they know the tokens of a base model."""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from app.models import Run
from app.status import RunStatus

MOST_LENGTHS = 4
LATEST = 200


@dataclass(frozen=True)
class Shortened:
    """Of one run's rows, training and held-out, at its `max_length`."""

    run_id: int
    max_length: int
    prompts: int
    responses: int


def of_dataset(session: Session, dataset_id: int) -> list[Shortened]:
    """The newest count for each `max_length` that a run on the data set has had."""
    runs = select(Run).where(col(Run.dataset_id) == dataset_id, col(Run.status) == RunStatus.COMPLETED)
    found: dict[int, Shortened] = {}
    for run in session.exec(runs.order_by(col(Run.id).desc()).limit(LATEST)):
        counted = _counted(run)
        if counted is not None:
            found.setdefault(counted.max_length, counted)
    return sorted(found.values(), key=lambda item: item.max_length)[:MOST_LENGTHS]


def _counted(run: Run) -> Shortened | None:
    results, limit = run.results or {}, run.config.get("data", {}).get("max_length")
    prompts, responses = results.get("shortened_prompts"), results.get("cut_responses")
    if run.id is None or limit is None or prompts is None or responses is None:
        return None
    return Shortened(run.id, limit, prompts, responses)
