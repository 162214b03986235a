"""What the templates of the try-out page are given."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from app import tryouts
from app.data.row_lookup import look_up
from app.errands import get
from app.errors import Invalid, NotFound
from app.generation import Generation
from app.models import Errand, Run
from app.settings import Settings
from app.tryouts import base_of
from app.web.tryout_page import side
from app.web.tryout_page.form import Typed


@dataclass(frozen=True)
class Earlier:
    """A try-out of before, as its link says it."""

    errand: Errand
    question: str


def build(
    session: Session, settings: Settings, typed: Typed, *, errand: Errand | None = None, wrong: Mapping[str, str] = {}
) -> dict[str, Any]:
    return {
        "typed": typed,
        "row_text": "" if errand else _row_text(session, settings, typed),
        "wrong": wrong,
        "fields": Generation.model_fields,
        "offered": _by_base(_offered(session, settings, typed)),
        "most": tryouts.MOST_RUNS,
        "earlier": [Earlier(e, side.question_of(e)) for e in tryouts.remembered(session)],
        **(answers(session, errand) if errand else {"errand": None}),
    }


def answers(session: Session, errand: Errand) -> dict[str, Any]:
    runs = session.exec(select(Run).where(col(Run.id).in_(errand.request["runs"])))
    generation = Generation.model_validate(errand.request["settings"])
    return {
        "errand": errand,
        "open": side.is_open(errand),
        "sides": side.sides(errand, {run.id or 0: run for run in runs}),
        "question": side.question_of(errand),
        "reference": side.reference_of(errand),
        "generation": generation,
    }


def find(session: Session, errand_id: int) -> Errand:
    errand = get(session, errand_id)
    if errand.kind != tryouts.KIND:
        raise NotFound(f"There is no try-out {errand_id}.")
    return errand


def what_is_wrong(session: Session, settings: Settings, typed: Typed) -> dict[str, str]:
    """Of runs that an address names, which somebody may have typed or kept for long."""
    try:
        tryouts.alike(session, settings, typed.runs)
    except Invalid as refusal:
        return {error.field: error.message for error in refusal.errors}
    return {}


def _row_text(session: Session, settings: Settings, typed: Typed) -> str:
    """The row that is about to be asked; empty where a prompt is written, or where asking will say what is wrong."""
    run = session.get(Run, typed.runs[0]) if typed.runs and typed.row is not None else None
    if run is None or typed.row is None:
        return ""
    row = look_up(settings, run.dataset_id, [typed.row]).get(typed.row)
    return side.question_of_row(json.loads(row.to_json())) if row else ""


def _offered(session: Session, settings: Settings, typed: Typed) -> list[Run]:
    """The latest runs, and those that are chosen already however old."""
    found = tryouts.offered(session, settings)
    known = {run.id for run in found}
    missing = [run for run_id in typed.runs if run_id not in known and (run := session.get(Run, run_id))]
    return [*(run for run in missing if tryouts.has_adapter(settings, run)), *found]


def _by_base(runs: list[Run]) -> dict[str, list[Run]]:
    groups: dict[str, list[Run]] = {}
    for run in runs:
        name, state = base_of(run)
        groups.setdefault(f"{name} at {state[:12]}" if state else name, []).append(run)
    return groups
