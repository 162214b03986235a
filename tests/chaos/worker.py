"""The real worker process of a house, whose child is child.py: the stand-in, or the real training."""

import sys

from worker import job, spare
from worker.app import main

if __name__ == "__main__":
    job.TRAINING = spare.COMMAND = ("-m", "tests.chaos.child")
    sys.exit(main())
