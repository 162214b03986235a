"""A word now and then while one long call works: loading a model, hashing its files."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from worker.finetune.reporter import Reporter

SECONDS = 5.0
# Reading at 10 MB/s takes more; a process that waits for what never comes takes none, and is not alive.
LEAST_CPU_SECONDS = 0.005


@contextmanager
def pulse(reporter: Reporter) -> Iterator[None]:
    """Says that work goes on for as long as the block runs, and only while this process does work."""
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(reporter, ended), name="pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(reporter: Reporter, ended: threading.Event) -> None:
    spent = time.process_time()
    while not ended.wait(SECONDS):
        before, spent = spent, time.process_time()
        if spent - before >= LEAST_CPU_SECONDS:
            reporter.alive()
