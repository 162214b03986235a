"""Worker and child without lease, lock and fencing: `python -m tests.chaos.unguarded worker|child`."""

import runpy
import sys
from pathlib import Path
from typing import IO

from sqlmodel import col

from app import claims, processes
from app.models import Run


def _no_lock(path: Path) -> IO[str]:
    """Everybody has it."""
    return path.open("a+")


def main(program: str) -> None:
    # Before anything that takes these by name is imported.
    processes.try_lock = processes.hold_lock = _no_lock
    claims.holds = lambda *_: False  # every running row is taken for abandoned
    claims._fence = lambda claim: (col(Run.id) == claim.run_id,)
    if program == "child":
        del sys.argv[1]
        runpy.run_module("tests.chaos.child", run_name="__main__", alter_sys=True)
    from worker import app, job, spare

    job.TRAINING = spare.COMMAND = ("-m", "tests.chaos.unguarded", "child")
    sys.exit(app.main())


if __name__ == "__main__":
    main(sys.argv[1])
