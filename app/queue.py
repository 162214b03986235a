"""The queue: one Celery app with both ends' settings. A message is a wake-up that carries an id; the row is the truth.

Work is never in a message (tasks are acknowledged at once), so no visibility timeout can run a long job twice and a
lost message costs nothing: the worker's sweeper finds the queued row.

Celery is loaded with the first use: a web process that launches nothing does without its 10 MB.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery import Celery

WAKE = "tuneboard.wake"
QUEUE = "gpu"


def celery_app(broker_url: str) -> "Celery":
    from celery import Celery

    app = Celery("tuneboard", broker=broker_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_ignore_result=True,
        task_default_queue=QUEUE,
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_pool="threads",
        worker_concurrency=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "socket_connect_timeout": 1,
            "socket_timeout": 5,
            # A launch must not wait for a broker that is away (six seconds by default): one more try, at once.
            "max_retries": 1,
            "interval_start": 0,
        },
        task_publish_retry=False,
    )
    return app


def waker(broker_url: str) -> Callable[[int], bool]:
    """`enqueue` with an app that is made when it is first called."""
    app = cache(partial(celery_app, broker_url))
    return lambda run_id: enqueue(app(), run_id)


def enqueue(app: "Celery", run_id: int, queue: str = QUEUE) -> bool:
    """Wake a worker for a run; False when the broker cannot be reached (the run is found again when it can)."""
    from kombu.exceptions import OperationalError

    try:
        app.send_task(WAKE, args=[run_id], queue=queue)
    except (OperationalError, ConnectionError, OSError):
        return False
    return True
