"""The real worker process, whose wake-ups the broker takes and nobody gets: python tests/worker/deaf_worker.py"""

import sys

from app.queue import enqueue
from worker import sweeper
from worker.app import main

if __name__ == "__main__":
    sweeper.REWAKE_SECONDS = 0.2
    sweeper.SWEEP_SECONDS = 0.1
    sweeper.enqueue = lambda celery, run_id, _: enqueue(celery, run_id, "elsewhere")
    sys.exit(main())
