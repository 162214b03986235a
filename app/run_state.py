"""What a run is at, as people are told: that its worker has gone silent, and when it is due again."""

from app.leases import holds, seconds_until
from app.models import Run
from app.status import STALLED, RunStatus

SILENT = "no word from its worker"


def stage(run: Run) -> str | None:
    """What it is busy with; of one whose lease is over, that nobody has said so for a while."""
    silent = (
        run.status == RunStatus.RUNNING and run.lease_until is not None and not holds(run.lease_boot, run.lease_until)
    )
    return SILENT if silent and run.stage != STALLED else run.stage


def tries_again_in(run: Run) -> float | None:
    """Seconds until a queued run's pause is over; None: it has none."""
    if run.status != RunStatus.QUEUED:
        return None
    return seconds_until(run.not_before_boot, run.not_before) or None
