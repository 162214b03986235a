"""Why an errand that needs the device has to wait, in words."""

from sqlmodel import Session

from app.models import Run
from worker.context import Context

MINUTE = 60


def reason(session: Session, context: Context) -> str:
    claim = context.claim
    run = session.get(Run, claim.run_id) if claim else None
    if run is None:
        return "This worker is about to start on something else; it goes on when that is done."
    left = "" if run.eta_seconds is None else f"; {_about(run.eta_seconds)} left"
    return f"Run {run.id} ({run.name}) is training on this worker{left}. It is not disturbed: this begins when it ends."


def _about(seconds: float) -> str:
    minutes = round(seconds / MINUTE)
    if minutes < 1:
        return "less than a minute"
    return f"about {minutes} min" if minutes < 2 * MINUTE else f"about {round(minutes / MINUTE)} h"
