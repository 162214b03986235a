"""Follow a child from its start to its end: write down what it reports, pass on a request to stop."""

import math
import time
from collections.abc import Callable

from sqlalchemy.exc import OperationalError

from app.claims import Claim, cancel_requested
from worker.child import Child
from worker.context import Context
from worker.oom_kills import oom_kills
from worker.protocol import Progress
from worker.recorder import Recorder
from worker.storage import is_passing
from worker.verdict import Stop, Verdict, judge

POLL_SECONDS = 0.2
# Between two looks at whether somebody asked to cancel: asking the database costs more than all that a step says.
ASK_SECONDS = 0.5
# A turn that took longer than this says that the worker itself stood still, and nothing about its child.
LONGEST_TURN_SECONDS = 5.0
# From SIGTERM to SIGKILL. Whoever cancels wants the machine back; whoever stops the worker wants the progress kept, and
# a large batch has to end before its checkpoint can be written. The supervisor waits longer (app.supervisor).
CANCEL_SECONDS, SHUTDOWN_SECONDS = 3.0, 10.0


def follow(
    context: Context,
    claim: Claim,
    recorder: Recorder,
    start: Callable[[], Child],
    *,
    silence: float | None = None,
) -> Verdict:
    """Blocks until the child is gone, whatever happens; raises ClaimLost when the run became somebody else's.

    To be called from the thread that lives as long as the attempt: a child dies with the one that starts it. A child
    that says nothing for `silence` seconds is killed.
    """
    recorder.said, stop, ask_at = None, None, 0.0
    kills, quiet = oom_kills(), _Quiet()
    child = start()
    try:
        while child.exit_code is None:
            events = child.events(POLL_SECONDS)
            for event in events:
                recorder.take(event)
                if isinstance(event, Progress):  # a step is done: from here on the machine can get the next one ready
                    context.spares.want()
            recorder.flush_when_due()
            if context.stopping.is_set():
                stop = stop or Stop.SHUTDOWN
            elif not stop and time.monotonic() >= ask_at:
                stop, ask_at = _asked_to_cancel(context, claim), time.monotonic() + ASK_SECONDS
            if stop:
                child.stop(SHUTDOWN_SECONDS if stop is Stop.SHUTDOWN else CANCEL_SECONDS)
            elif quiet.seconds(heard=bool(events)) > (silence or math.inf):
                stop = Stop.SILENCE
                child.kill()
        for event in child.events(0):  # what it said last
            recorder.take(event)
        return judge(child.exit_code, recorder.said, stop, memory_was_short=oom_kills() != kills)
    finally:
        child.close()


def _asked_to_cancel(context: Context, claim: Claim) -> Stop | None:
    try:
        with context.db.reading() as session:
            return Stop.CANCEL if cancel_requested(session, claim) else None
    except OperationalError as error:
        if not is_passing(error):
            raise
        return None


class _Quiet:
    """How long nothing has been heard, counted in the time that this worker itself was running."""

    def __init__(self) -> None:
        self._seconds, self._turn = 0.0, time.monotonic()

    def seconds(self, *, heard: bool) -> float:
        began, self._turn = self._turn, time.monotonic()
        self._seconds = 0.0 if heard else self._seconds + min(self._turn - began, LONGEST_TURN_SECONDS)
        return self._seconds
