"""The worker process: Celery with one thread of work, and beside it the sweeper and the heartbeat.

It never loads torch: each run trains in a child process of its own.
"""

import logging
import os
import signal
import socket
import sys
import time
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from celery import signals
from celery.exceptions import CPendingDeprecationWarning
from celery.platforms import SecurityWarning
from sqlalchemy.exc import OperationalError

from app.db import connect, file_of
from app.errors import Conflict
from app.migrate import is_current, refuse_newer, revision
from app.queue import QUEUE, celery_app
from app.settings import Settings
from worker import device, errands, spare, sweeper
from worker.context import Context
from worker.storage import is_passing
from worker.tasks import register

log = logging.getLogger(__name__)

# Short, so that a locked database delays neither a cancel nor the reports of the child; what fails is tried again.
BUSY_TIMEOUT_MS = 1000
FORMAT = "%(asctime)s %(levelname)-7s %(message)s"
# One line a message is what these would add to every run.
QUIET = ("celery.worker.strategy", "celery.app.trace", "celery.bootsteps", "kombu", "alembic")


def main() -> int:
    """Work until a signal ends it; the exit code."""
    _log_to_stdout()
    settings, found = Settings(), device.find()
    context = Context(
        settings=settings,
        db=connect(settings.database, BUSY_TIMEOUT_MS),
        celery=celery_app(settings.broker_url),
        name=f"{found.short}.{os.getpid()}@{socket.gethostname()}",
        own_queue=f"{QUEUE}.{found.number or 0}",
    )
    register(context.celery, context)
    try:
        _wait_for_schema(context)
        log.info("worker %s: %s", context.name, found.name)
        with sweeper.running(context, found), errands.running(context), _spare_kept(context, found):
            return _work(context)
    except Conflict as refused:
        log.error("%s", refused)  # noqa: TRY400 - a sentence for whoever runs the machine
        return 1
    finally:
        context.db.dispose()


def _spare_kept(context: Context, found: device.Device) -> AbstractContextManager[None]:
    if not context.settings.spare or sys.platform != "linux":  # elsewhere nobody adopts a process
        return nullcontext()
    return spare.kept(context.spares, context.settings.errands_dir / "spare.log", gpu=found.number is not None)


def _work(context: Context) -> int:
    """Celery's own loop, in this thread, until a signal."""

    def stop(**_: Any) -> None:
        context.stopping.set()

    signals.worker_shutting_down.connect(stop)
    signals.worker_ready.connect(_hang_up_is_terminate)
    signals.worker_ready.connect(_hush)
    # What is left out speaks to other Celery workers; ours meet in the database.
    worker = context.celery.Worker(
        hostname=context.name,
        queues=[QUEUE, context.own_queue],
        pool="threads",
        concurrency=1,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    log.info("worker %s: stopped", context.name)
    return worker.exitcode or 0


def _hang_up_is_terminate(**_: Any) -> None:
    """A closed terminal ends the worker as SIGTERM does; Celery would start it anew in the background."""
    signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))


def _hush(**_: Any) -> None:
    """At each loss of the broker Celery tells of a default that will change, about work in messages: ours have none.

    It asks for its own warnings when it starts, so only now can they be had to stop.
    """
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)


def _wait_for_schema(context: Context) -> None:
    """Another process migrates the database; rows of another schema are not ours to touch."""
    refuse_newer(file_of(context.settings.database), revision(context.db))
    if not _is_current(context):
        log.info("waiting for the database to be migrated: %s", context.settings.database)
    while not _is_current(context):
        time.sleep(1)


def _is_current(context: Context) -> bool:
    try:
        return is_current(context.db)
    except OperationalError as error:
        if not is_passing(error):
            raise
        return False


def _log_to_stdout() -> None:
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format=FORMAT, datefmt="%H:%M:%S")
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    signals.setup_logging.connect(_keep_logging)
    # It warns root of pickled messages; ours are JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)


def _keep_logging(**_: Any) -> None:
    """Connected, it tells Celery that logging is set up."""


if __name__ == "__main__":
    sys.exit(main())
