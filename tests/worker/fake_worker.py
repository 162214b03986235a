"""The real worker process, whose child is the stand-in: python tests/worker/fake_worker.py"""

import sys
from pathlib import Path

from worker import job, spare
from worker.app import main

if __name__ == "__main__":
    job.TRAINING = (str(Path(__file__).with_name("fake_child.py")),)
    spare.COMMAND = (str(Path(__file__).with_name("fake_spare.py")),)
    sys.exit(main())
