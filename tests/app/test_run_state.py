"""What people are told of a run beyond what its row says by itself."""

import pytest

from app.leases import Lease, lease
from app.models import Run
from app.run_state import stage, tries_again_in
from app.status import RunStatus

LONG = lease(1_000_000)  # made when the tests are collected


def run(status: RunStatus, until: Lease | None = None, **fields: object) -> Run:
    boot, moment = (until.boot, until.until) if until else (None, None)
    row = Run(experiment_id=1, name="r", config={}, status=status, lease_boot=boot, lease_until=moment)
    for name, value in fields.items():
        setattr(row, name, value)
    return row


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (run(RunStatus.RUNNING, LONG, stage="training"), "training"),
        (run(RunStatus.RUNNING, lease(-1), stage="training"), "no word from its worker"),
        (run(RunStatus.RUNNING, Lease("another boot", 1e12), stage="training"), "no word from its worker"),
        (
            run(RunStatus.RUNNING, lease(-1), stage="no word from its worker, its process still lives"),
            "no word from its worker, its process still lives",
        ),
        (run(RunStatus.FAILED, None, stage="training"), "training"),
        (run(RunStatus.QUEUED), None),
    ],
    ids=["alive", "silent", "after a reboot", "stalled", "failed", "queued"],
)
def test_a_run_whose_worker_is_silent_is_not_said_to_be_at_work(row: Run, said: str | None) -> None:
    assert stage(row) == said


def test_only_a_queued_run_with_a_pause_ahead_tries_again_later() -> None:
    due, over = lease(20), lease(-1)
    paused = run(RunStatus.QUEUED, not_before_boot=due.boot, not_before=due.until)
    assert tries_again_in(paused) == pytest.approx(20, abs=5)
    for row in (
        run(RunStatus.QUEUED),
        run(RunStatus.QUEUED, not_before_boot=over.boot, not_before=over.until),
        run(RunStatus.QUEUED, not_before_boot="another boot", not_before=due.until),
        run(RunStatus.CANCELLED, not_before_boot=due.boot, not_before=due.until),
    ):
        assert tries_again_in(row) is None
