"""The one table of what is promised: `make test` tries each a few times, `make chaos` until `full` is reached."""

from tests.chaos.trial import Promise
from tests.chaos.trials import killed

PROMISES = (
    Promise(
        "killed",
        "A worker or child that is killed at any moment: the run resumes by itself within 60 s "
        "and loses at most one checkpoint interval",
        quick=10,
        full=300,
        open=killed.opened,
    ),
)
