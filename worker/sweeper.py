"""What a worker does beside its task, once a second: beat its heart, find abandoned runs, find lost wake-ups."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlmodel import Session, col, select

from app import __version__, claims, retries
from app.claims import Claim
from app.errors import RunError
from app.leases import holds
from app.models import Worker
from app.processes import Identity, try_lock
from app.queue import enqueue
from app.status import STALLED
from worker import job
from worker.context import Context
from worker.device import Device
from worker.storage import is_full, is_passing

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
# An idle worker takes a wake-up at once; one that is still waiting after this has been lost, or the broker is away.
REWAKE_SECONDS = 5.0
# After so many that the broker took and this idle worker did not get, it no longer listens: half a minute.
MOST_UNANSWERED = 6

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
    threads = [threading.Thread(target=repeat, args=(step, ended), name=step.__name__) for step in steps]
    with ExitStack() as stack:
        stack.callback(_forget, context)
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(ended.set)
        yield


def repeat(step: Callable[[], None], ended: threading.Event, seconds: float = SWEEP_SECONDS) -> None:
    """Until the end, whatever the database or the disk say against one turn of it."""
    while not ended.is_set():
        try:
            step()
        except OperationalError as error:
            if not (is_passing(error) or is_full(error)):
                log.error("%s: %s", step.__name__, error.orig)  # noqa: TRY400 - the same every second: no traceback
        except (SQLAlchemyError, OSError) as error:  # a full disk, a damaged file: the thread outlives it
            log.error("%s: %s", step.__name__, error)  # noqa: TRY400
        ended.wait(seconds)


class Sweeper:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._woken = -REWAKE_SECONDS
        self._wakes = context.wakes
        self._unanswered = 0

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
        path = self._context.settings.run_dir(claim.run_id) / "lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        # The database first: waiting for it with the run's lock in hand would keep out a worker that is only late.
        with self._context.db.writing() as session:
            if not claims.is_abandoned(session, claim):
                return
            lock = try_lock(path)
            if lock is None:
                self._tell_of_stalled(session, claim, path)
                return
            with lock:
                job.tidy(path.parent)
                status = retries.died(session, claim, ABANDONED)
                log.warning("run %d: attempt %d was abandoned; now %s", claim.run_id, claim.attempt, status)

    def _tell_of_stalled(self, session: Session, claim: Claim, lock: Path) -> None:
        """A person may end what its worker no longer can: its process is killed, and found abandoned a second later."""
        asked_to_cancel = claims.cancel_requested(session, claim)
        claims.update_run(session, claim, {"stage": STALLED})
        session.commit()
        holder = Identity.read(lock)
        if asked_to_cancel and holder and holder.kill():
            log.warning("run %d: cancelled while stalled, process %d was killed", claim.run_id, holder.pid)

    def find_lost_wake_ups(self) -> None:
        """While something is due and this worker does not work, send a wake-up to its own queue."""
        if self._context.busy or self._context.wakes != self._wakes:
            self._wakes, self._unanswered, self._woken = self._context.wakes, 0, -REWAKE_SECONDS
        if self._context.busy or time.monotonic() < self._woken + REWAKE_SECONDS:
            return
        with self._context.db.reading() as session:
            due = claims.next_due(session)
        if due is None:
            self._unanswered = 0
        elif self._unanswered >= MOST_UNANSWERED:
            _give_up(self._context)
        elif enqueue(self._context.celery, due, self._context.own_queue):
            self._woken = time.monotonic()
            self._unanswered += 1


def _give_up(context: Context) -> None:
    """End this process, which has nothing to lose: whoever keeps it running starts one that listens."""
    log.critical("%d wake-ups were sent and none came, the queue does not move: this worker ends", MOST_UNANSWERED)
    _forget(context)
    os._exit(1)


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
