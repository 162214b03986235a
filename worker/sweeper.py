"""What a worker does beside its task, once a second: beat its heart, find abandoned runs, find lost wake-ups."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import delete
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select

from app import __version__, claims
from app.claims import Claim
from app.errors import RunError
from app.leases import holds
from app.models import Worker
from app.processes import try_lock
from app.queue import enqueue
from worker.context import Context
from worker.device import Device
from worker.storage import is_full, is_locked

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
# An idle worker takes a wake-up at once; one that is still waiting after this has been lost, or the broker is away.
REWAKE_SECONDS = 5.0

ABANDONED = RunError(
    "worker_lost",
    "The worker of this run was lost",
    "It stopped without a word, so the machine or the worker was ended from outside, or ran out of memory.",
    "Look at the worker's log and the machine's memory, then retry: it continues from the last checkpoint.",
)


@contextmanager
def running(context: Context, device: Device) -> Iterator[None]:
    """The threads of sweeper and heartbeat, for as long as the block runs; the worker's row goes with them."""
    ended = threading.Event()
    sweeper = Sweeper(context)
    steps = (sweeper.find_abandoned, sweeper.find_lost_wake_ups, Heart(context, device).beat)
    threads = [threading.Thread(target=_repeat, args=(step, ended), name=step.__name__) for step in steps]
    with ExitStack() as stack:
        stack.callback(_forget, context)
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(ended.set)
        yield


def _repeat(step: Callable[[], None], ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            step()
        except OperationalError as error:
            if not (is_locked(error) or is_full(error)):
                log.error("%s: %s", step.__name__, error.orig)  # noqa: TRY400 - the same every second: no traceback
        ended.wait(SWEEP_SECONDS)


class Sweeper:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._woken = -REWAKE_SECONDS

    def find_abandoned(self) -> None:
        """Queue again what nobody works on: the lease is over, and the lock of the run can be taken.

        A run whose lock is held has a live process, however silent: a second one beside it would be worse.
        """
        with self._context.db.reading() as session:
            found = claims.abandoned(session)
        for claim in found:
            if claim != self._context.claim:
                self._recover(claim)

    def _recover(self, claim: Claim) -> None:
        run_dir = self._context.settings.run_dir(claim.run_id)
        run_dir.mkdir(parents=True, exist_ok=True)
        lock = try_lock(run_dir / "lock")
        if lock is None:
            return
        with lock, self._context.db.writing() as session:
            if claims.is_abandoned(session, claim):
                status = claims.died(session, claim, ABANDONED)
                log.warning("run %d: attempt %d was abandoned; now %s", claim.run_id, claim.attempt, status)

    def find_lost_wake_ups(self) -> None:
        """While something waits and this worker does not work, send a wake-up to its own queue."""
        if self._context.busy or time.monotonic() < self._woken + REWAKE_SECONDS:
            return
        with self._context.db.reading() as session:
            waiting = claims.next_queued(session)
        if waiting is not None and enqueue(self._context.celery, waiting, self._context.own_queue):
            self._woken = time.monotonic()


class Heart:
    """The worker's row in the table: alive while its lease holds."""

    def __init__(self, context: Context, device: Device) -> None:
        self._context, self._device = context, device
        self._row = Worker(
            name=context.name,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            device=device.name,
            memory_total_bytes=device.memory_total_bytes,
            boot="",
            beat_until=0.0,
        )

    def beat(self) -> None:
        claim, lease = self._context.claim, self._context.new_lease()
        changes = {
            "run_id": claim.run_id if claim else None,
            "memory_used_bytes": self._device.memory_used(),
            "boot": lease.boot,
            "beat_until": lease.until,
        }
        with self._context.db.writing() as session:
            session.merge(Worker.model_validate(self._row.model_dump() | changes))
            _remove_dead(session)
            session.commit()


def _remove_dead(session: Session) -> None:
    for row in session.exec(select(Worker)):
        if not holds(row.boot, row.beat_until):
            session.delete(row)


def _forget(context: Context) -> None:
    try:
        with context.db.writing() as session:
            session.execute(delete(Worker).where(col(Worker.name) == context.name))
            session.commit()
    except OperationalError as error:
        log.warning("the row of this worker stays until its lease is over: %s", error.orig)
