"""One errand from claim to end: its process is asked, what it says is written down, and it is ended on request."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from app import errand_claims
from app.errand_claims import ErrandClaim
from app.errors import RunError, TuneboardError
from app.models import Errand
from worker.context import Context
from worker.errand_child import ErrandChild
from worker.errand_jobs import KINDS
from worker.storage import insist, is_passing
from worker.values import finite

log = logging.getLogger(__name__)

LISTEN_SECONDS = 0.2


@dataclass
class Said:
    """What is known of an errand: how far it is, and how it ended when it has."""

    partial: dict[str, Any] | None = None  # what is new since the last write
    answer: dict[str, Any] | None = None
    error: RunError | None = None
    written_at: float = field(default_factory=time.monotonic)

    @property
    def over(self) -> bool:
        return self.answer is not None or self.error is not None

    def take(self, message: dict[str, Any]) -> None:
        message = finite(message)
        self.partial = message.get("partial", self.partial)
        self.answer = message.get("answer")
        self.error = RunError(**message["error"]) if "error" in message else None


def carry_out(context: Context, claim: ErrandClaim, errand: Errand, open_child: Callable[[], ErrandChild]) -> bool:
    """Do it and write down its end; True where its process has answered, and can be asked again."""
    log.info("errand %d (%s) begins", claim.id, errand.kind)
    try:
        with context.db.reading() as session:
            added = KINDS[errand.kind].prepare(session, context.settings, errand)
        child = open_child()
        child.ask({"kind": errand.kind, "request": errand.request | added})
        said = _follow(context, claim, child, KINDS[errand.kind].seconds)
    except TuneboardError as error:
        refusal = _refused(error)
        insist(context, lambda session: errand_claims.fail(session, claim, refusal))
        return True
    except (OSError, ValueError, TypeError, LookupError) as error:
        log.exception("errand %d (%s): failed unexpectedly", claim.id, errand.kind)
        failure = _unexpected(error)
        insist(context, lambda session: errand_claims.fail(session, claim, failure))
        return False
    if said is None:
        insist(context, lambda session: errand_claims.give_back(session, claim))
        return False
    log.info("errand %d (%s) ends%s", claim.id, errand.kind, f": {said.error.title}" if said.error else "")
    insist(context, lambda session: _conclude(session, claim, said))
    return child.exit_code is None


def _follow(context: Context, claim: ErrandClaim, child: ErrandChild, seconds: float) -> Said | None:
    """What its process said; None where it is no longer to be done here. The caller ends a process that is not done."""
    said, deadline = Said(), time.monotonic() + seconds
    while not said.over:
        dead = child.exit_code is not None  # looked at before the pipe: what it said last is still in there
        for message in child.said(LISTEN_SECONDS):
            said.take(message)
        if said.over:
            break
        if dead:
            said.error = _died(child.exit_code)
        elif time.monotonic() > deadline:
            said.error = _too_long(seconds)
            child.end()
        elif context.stopping.is_set() or not _keep(context, claim, said):
            child.end()
            return None
    return said


def _keep(context: Context, claim: ErrandClaim, said: Said) -> bool:
    """Renew the claim, along with what is new; False where somebody called it off. A locked database can wait."""
    try:
        if said.partial is None and time.monotonic() < said.written_at + context.settings.lease_seconds / 3:
            with context.db.reading() as session:
                return errand_claims.is_ours(session, claim)
        with context.db.writing() as session:
            ours = errand_claims.report(session, claim, context.new_lease(), said.partial)
    except OperationalError as error:
        if not is_passing(error):
            raise
        return True
    said.partial, said.written_at = None, time.monotonic()
    return ours


def _conclude(session: Session, claim: ErrandClaim, said: Said) -> bool:
    if said.error:
        return errand_claims.fail(session, claim, said.error)
    return errand_claims.finish(session, claim, said.answer or {})


def _refused(error: TuneboardError) -> RunError:
    return RunError("invalid", error.title, str(error), "Correct this, then ask again.")


def _unexpected(error: Exception) -> RunError:
    return RunError(
        "unexpected",
        "Something unexpected went wrong in the worker",
        f"{type(error).__name__}; the worker's own log has the details.",
        "Ask again. If it happens again, report it with the lines from the worker's log.",
    )


def _died(code: int | None) -> RunError:
    return RunError(
        "errand_died",
        "The process that did this ended without an answer",
        f"Its exit code is {code}. The machine may have run out of memory.",
        "Ask again when less is going on; the folder errands in the data folder holds what it printed.",
    )


def _too_long(seconds: float) -> RunError:
    return RunError(
        "too_long",
        "This took too long and was ended",
        f"It may take {seconds:.0f} s.",
        "Ask again when the machine is less busy.",
    )
