"""Try-outs: a prompt, or a row of the data set, answered by a base model and by adapters of it. A worker answers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from app import artifacts, errands, runs
from app.data.row_lookup import look_up
from app.data.rows import Row
from app.errors import Invalid, NotFound
from app.generation import Generation
from app.models import Errand, Run
from app.settings import Settings
from app.status import RunStatus

KIND = "tryout"
ADAPTER = "adapter.zip"
MOST_RUNS = 8
LONGEST_PROMPT = 32_000
OFFERED = 100  # of the runs that can be asked, the latest
REMEMBERED = 10

Json = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """`row` is one of the first run's data set, and then stands for the prompt."""

    runs: Sequence[int]
    prompt: str = ""
    input: str = ""
    row: int | None = None
    settings: Generation = field(default_factory=Generation)


def ask(session: Session, settings: Settings, wanted: Wanted) -> Errand:
    """Store it for a worker. `request["sides"]` says who answers: runs, each after the base as it has it."""
    chosen = alike(session, settings, wanted.runs)
    row = _row(settings, chosen[0], wanted)
    errands.need_worker(session)
    request = {
        "runs": [run.id for run in chosen],
        "row": json.loads(row.to_json()),
        "number": wanted.row,
        "settings": wanted.settings.model_dump(),
        "sides": sides(chosen),
    }
    return errands.ask(session, KIND, request, run_id=chosen[0].id)


def alike(session: Session, settings: Settings, ids: Sequence[int]) -> list[Run]:
    """The runs, if they can be asked together: each with an adapter, all of one base model."""
    if not 1 <= len(set(ids)) <= MOST_RUNS:
        raise Invalid.one("runs", f"Choose 1 to {MOST_RUNS} runs")
    chosen = [_askable(session, settings, run_id) for run_id in dict.fromkeys(ids)]
    other = next((run for run in chosen if base_of(run) != base_of(chosen[0])), None)
    if other is not None:
        raise Invalid.one(
            "runs",
            f"Run {chosen[0].id} is of {base_of(chosen[0])[0]} and run {other.id} of {base_of(other)[0]}: "
            "one base model is loaded at a time, so choose runs of one",
        )
    return chosen


def _askable(session: Session, settings: Settings, run_id: int) -> Run:
    try:
        run = runs.get_run(session, run_id)
    except NotFound as missing:
        raise Invalid.one("runs", str(missing)) from None
    if not has_adapter(settings, run):
        raise Invalid.one("runs", f"Run {run_id} ({run.name}) has no adapter to answer with")
    return run


def has_adapter(settings: Settings, run: Run) -> bool:
    return (artifacts.folder(settings, run.id or 0) / ADAPTER).is_file()


def base_of(run: Run) -> tuple[str, str | None]:
    """The base model and, of one from a hub, which state of it."""
    model = run.config["model"]
    return model["base_model"], run.environment.get("model_commit") or model.get("revision")


def sides(chosen: Sequence[Run]) -> list[Json]:
    """Who answers, in order: for each way of having the base, the base itself and then the runs that have it so."""
    ways: dict[str, list[Run]] = {}
    for run in chosen:
        ways.setdefault(json.dumps(_way(run), sort_keys=True), []).append(run)
    return [
        side
        for members in ways.values()
        for side in [{"run": members[0].id, "adapter": False}, *({"run": m.id, "adapter": True} for m in members)]
    ]


def _way(run: Run) -> list[Any]:
    """What of a run's settings the base's answer depends on."""
    data = run.config["data"]
    return [
        run.config["quantization"],
        data["prompt_template"],
        data["max_length"],
        run.config["evaluation"]["max_new_tokens"],
    ]


def _row(settings: Settings, run: Run, wanted: Wanted) -> Row:
    if wanted.row is not None:
        found = look_up(settings, run.dataset_id, [wanted.row])
        if wanted.row not in found:
            raise Invalid.one("row", f"The data set of run {run.id} has no row {wanted.row}, or is gone or too large")
        return found[wanted.row]
    if not wanted.prompt.strip():
        raise Invalid.one("prompt", "Write what the models should answer")
    if len(wanted.prompt) + len(wanted.input) > LONGEST_PROMPT:
        raise Invalid.one("prompt", f"This may have at most {LONGEST_PROMPT:,} characters")
    return Row(instruction=wanted.prompt, input=wanted.input)


def offered(session: Session, settings: Settings) -> list[Run]:
    """Runs that can be asked, the latest first."""
    done = col(Run.status) == RunStatus.COMPLETED, col(Run.origin) == "launched"
    found = session.exec(select(Run).where(*done).order_by(col(Run.finished_at).desc()).limit(OFFERED))
    return [run for run in found if has_adapter(settings, run)]


def remembered(session: Session) -> list[Errand]:
    """What was asked before, the latest first."""
    of_kind = select(Errand).where(col(Errand.kind) == KIND)
    return list(session.exec(of_kind.order_by(col(Errand.id).desc()).limit(REMEMBERED)))
