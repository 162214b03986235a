"""`tuneboard up` itself, with the worker of a house.

Its parts start again a second after each death, however often a trial kills them: the wait that grows is tested
beside the supervisor.
"""

import sys

from app import supervisor, up
from app.cli import main
from tests.chaos.house import WORKER

if __name__ == "__main__":
    supervisor.LONGEST_DELAY = supervisor.FIRST_DELAY
    up.worker_command = lambda: [sys.executable, "-m", WORKER]
    sys.exit(main(["up"]))
