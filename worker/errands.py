"""What a worker does for people beside its task: errands, each in a process of its own that can be ended.

Light ones are done at any time and on CPU, the quick beside the long and beside those that speak to a hub, which alone
have its token; their processes stay for a minute, as most of the time goes into their start. Heavy ones stand in line
for the device with the runs: neither disturbs the other.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager

from app import errand_claims
from app.errand_claims import ErrandClaim
from app.models import Errand
from worker.context import Context
from worker.errand_child import ErrandChild
from worker.errand_jobs import HEAVY, HUB, KINDS, LONG, QUICK
from worker.errand_run import carry_out
from worker.errand_wait import reason
from worker.sweeper import repeat

log = logging.getLogger(__name__)

# People wait for the quick ones; a look is one read of an index, a millisecond.
QUICK_SECONDS, LOOK_SECONDS = 0.1, 0.5
SWEEP_SECONDS = 2.0
WARM_SECONDS = 60.0


@contextmanager
def running(context: Context) -> Iterator[None]:
    """The threads, for as long as the block runs. Each lives as long as the processes it starts, which die with it."""
    ended = threading.Event()
    quick = Light(context, "quick", QUICK)
    light = [quick, Light(context, "long", LONG), Light(context, "hub", HUB, hub_token=True)]
    steps: tuple[tuple[Callable[[], None], float], ...] = (
        *((one.look, QUICK_SECONDS if one is quick else LOOK_SECONDS) for one in light),
        (Heavy(context).look, LOOK_SECONDS),
        (Tidy(context).sweep, SWEEP_SECONDS),
    )
    threads = [threading.Thread(target=repeat, args=(step, ended, seconds)) for step, seconds in steps]
    with ExitStack() as stack:
        for one in light:
            stack.callback(one.close)
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(ended.set)
        stack.callback(context.stopping.set)
        yield


def take(context: Context, kinds: Collection[str]) -> tuple[ErrandClaim, Errand] | None:
    """Claim the first that waits; looking costs no lock."""
    if context.stopping.is_set() or not waiting(context, kinds):
        return None
    with context.db.writing() as session:
        return errand_claims.claim(session, kinds, context.name, context.new_lease())


def waiting(context: Context, kinds: Collection[str]) -> list[int]:
    with context.db.reading() as session:
        return errand_claims.waiting(session, kinds)


class Light:
    """Errands on CPU, one after another in one process that is kept while it is likely to be asked again."""

    def __init__(self, context: Context, name: str, kinds: Collection[str], *, hub_token: bool = False) -> None:
        self._context, self._name, self._kinds, self._hub_token = context, name, kinds, hub_token
        self._child: ErrandChild | None = None
        self._used = 0.0

    def look(self) -> None:
        while taken := take(self._context, self._kinds):
            claim, errand = taken
            if not carry_out(self._context, claim, errand, self._open):
                self.close()
            self._used = time.monotonic()
        if time.monotonic() > self._used + WARM_SECONDS:
            self.close()

    def _open(self) -> ErrandChild:
        if self._child and self._child.exit_code is not None:
            self.close()
        if self._child is None:
            output = self._context.settings.errands_dir / f"{self._name}.log"
            self._child = ErrandChild(output, alone=False, hub_token=self._hub_token)
        return self._child

    def close(self) -> None:
        if self._child:
            self._child.close()
            self._child = None


class Heavy:
    """Errands on the device, each in a process of its own: its memory is free again when it ends."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def look(self) -> None:
        if self._context.stopping.is_set() or not waiting(self._context, HEAVY):
            return
        with self._context.device.place() as reached:
            while not reached(LOOK_SECONDS):
                if self._context.stopping.is_set() or not self._explain():
                    return
            if taken := take(self._context, HEAVY):
                self._do(*taken)

    def _explain(self) -> bool:
        """Say what they wait for; False when nothing waits any more."""
        left = waiting(self._context, HEAVY)
        if left:
            with self._context.db.writing() as session:
                errand_claims.say_why_they_wait(session, left, reason(session, self._context))
        return bool(left)

    def _do(self, claim: ErrandClaim, errand: Errand) -> None:
        output = self._context.settings.errands_dir / "heavy.log"
        opened: list[ErrandChild] = []

        def start() -> ErrandChild:
            opened.append(ErrandChild(output, alone=True, hub_token=KINDS[errand.kind].hub_token))
            return opened[0]

        try:
            carry_out(self._context, claim, errand, start)
        finally:
            for child in opened:
                child.close()


class Tidy:
    """Errands whose worker was lost are done again; answers that nobody comes back for go."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def sweep(self) -> None:
        with self._context.db.reading() as session:
            lost = errand_claims.abandoned(session)
        for claim in lost:
            with self._context.db.writing() as session:
                errand_claims.recover(session, claim)
                log.warning("errand %d: its worker was lost", claim.id)
        with self._context.db.reading() as session:
            old = errand_claims.has_old(session, QUICK | LONG)
        if old:
            with self._context.db.writing() as session:
                errand_claims.forget_old(session, QUICK | LONG)
