"""The training child in a house: the stand-in where a plan for it lies in the run's folder or beside those of all runs,
else the real one, with a fault in it where one is planned."""

import os
import runpy
import sys
from pathlib import Path

from tests.chaos import faults
from tests.worker import fake_child
from worker import warm

if __name__ == "__main__":
    if "--output-dir" not in sys.argv:  # there is no run for it yet
        sys.argv[1:] = warm.stand_by(lambda gpu: None)
    folder = Path(sys.argv[sys.argv.index("--output-dir") + 1])
    if any((place / fake_child.PLAN_FILE).exists() for place in (folder, folder.parent)):
        sys.exit(fake_child.main())
    if (folder.parent / faults.FILE).exists():
        code = faults.run(folder)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    runpy.run_module("worker", run_name="__main__", alter_sys=True)
