"""Follow a child from its start to its end: write down what it reports, pass on a request to stop."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy.exc import OperationalError

from app.claims import Claim, cancel_requested
from worker.child import Child
from worker.context import Context
from worker.recorder import Recorder
from worker.storage import is_locked
from worker.verdict import Stop, Verdict, judge

POLL_SECONDS = 0.2


def follow(
    context: Context,
    claim: Claim,
    recorder: Recorder,
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: Path,
) -> Verdict:
    """Blocks until the child is gone, whatever happens; raises ClaimLost when the run became somebody else's.

    To be called from the thread that lives as long as the attempt: the child dies with it.
    """
    recorder.said, stop = None, None
    child = Child(command, environment=environment, output=output)
    try:
        while child.exit_code is None:
            for event in child.events(POLL_SECONDS):
                recorder.take(event)
            recorder.flush_when_due()
            stop = stop or _asked_to_stop(context, claim)
            if stop:
                child.stop()
        for event in child.events(0):  # what it said last
            recorder.take(event)
        return judge(child.exit_code, recorder.said, stop)
    finally:
        child.close()


def _asked_to_stop(context: Context, claim: Claim) -> Stop | None:
    if context.stopping.is_set():
        return Stop.SHUTDOWN
    try:
        with context.db.reading() as session:
            return Stop.CANCEL if cancel_requested(session, claim) else None
    except OperationalError as error:
        if not is_locked(error):
            raise
        return None
