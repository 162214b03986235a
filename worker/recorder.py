"""What the child reports becomes rows: collected as it comes, written at most once a second in one transaction.

While the database is locked everything stays here and is written later.
"""

import time
from pathlib import Path
from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col

from app.claims import Claim, renewal, update_run
from app.models import Attempt, Baseline, Run
from worker.context import Context
from worker.protocol import (
    BaselineMeasured,
    Downloaded,
    Environment,
    Event,
    Failure,
    Log,
    Points,
    Progress,
    Result,
    Stage,
    Warn,
)
from worker.run_log import RunLog
from worker.series import Series, recorded
from worker.storage import is_passing
from worker.values import Values, finite

FLUSH_SECONDS = 1.0


class Recorder:
    """The rows of one attempt. Used by the one thread that follows the child."""

    def __init__(self, context: Context, claim: Claim, run: Run, log: RunLog) -> None:
        # The child's last word: what it was started for, or why there is none.
        self.said: Result | Downloaded | Failure | None = None
        self._context, self._claim, self._log = context, claim, log
        self._warnings, self._environment = list(run.warnings), dict(run.environment)
        # Written with every renewal: while this worker was silent another one may have put its own word there.
        self._stage = run.stage
        self._values, self._series = Values(), Series()
        self._changes: dict[str, Any] = {}
        self._baselines: list[BaselineMeasured] = []
        self._first_step: int | None = None
        self._due = 0.0
        # When the attempt began, and how long its process took to be there with everything loaded, or was waited for.
        self._began, self._startup = time.monotonic(), 0.0

    def resume(self, session: Session, run_dir: Path) -> None:
        """Continue from what earlier attempts recorded; not all of it may have come into the table."""
        self._values.load(session, self._claim.run_id)
        for points in recorded(run_dir):
            self.take(points)

    def take(self, event: Event) -> None:
        match event:
            case Stage(name=name):
                self._stage = name
                self._startup = self._startup or time.monotonic() - self._began
            case Progress():
                self._take_progress(event)
            case Points():
                self._series.take(event)
                self._values.take(event.values)
            case Log(message=message, level=level):
                self._log.write(message, level)
            case Warn(message=message):
                self._take_warning(message)
            case Environment(values=values):
                self._environment |= finite(values)
                self._changes["environment"] = self._environment
            case BaselineMeasured(key=key):
                self._baselines.append(event)
                self._changes["baseline_key"] = key
            case Result() | Downloaded() | Failure():
                self._take_end(event)

    def _take_progress(self, progress: Progress) -> None:
        if self._first_step is None:
            self._first_step = progress.step
        self._changes |= {
            "step": progress.step,
            "total_steps": progress.total_steps,
            "epoch": progress.epoch,
            "fraction": min(1.0, progress.step / max(1, progress.total_steps)),
            "eta_seconds": finite(progress.eta_seconds),
        }

    def _take_warning(self, message: str) -> None:
        self._log.write(message, "warning")
        if message not in self._warnings:
            self._warnings.append(message)
            self._changes["warnings"] = self._warnings

    def _take_end(self, event: Result | Downloaded | Failure) -> None:
        self.said = event
        if isinstance(event, Result):
            resources = finite(event.resources) | {"startup_seconds": self._startup}
            self.said = Result(results=finite(event.results), resources=resources)
            self._values.take_results(self.said.results)

    def flush_when_due(self) -> None:
        if time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> bool:
        """Renew the lease and write what is new; False, with nothing lost, while the database is locked."""
        self._due = time.monotonic() + FLUSH_SECONDS
        try:
            with self._context.db.writing() as session:
                self.write(session)
        except OperationalError as error:
            if not is_passing(error):
                raise
            return False
        return True

    def write(self, session: Session) -> None:
        """Everything that is new; raises ClaimLost when the run is no longer this attempt's."""
        self._write_rows(session)
        session.commit()
        self._changes, self._baselines = {}, []
        self._series.written()
        self._values.written()

    def _write_rows(self, session: Session) -> None:
        run_id = self._claim.run_id
        update_run(session, self._claim, renewal(self._context.new_lease()) | {"stage": self._stage} | self._changes)
        if "step" in self._changes:
            mine = col(Attempt.run_id) == run_id, col(Attempt.number) == self._claim.attempt
            session.execute(update(Attempt).where(*mine).values(first_step=self._first_step))
        self._series.write(session, run_id)
        self._values.write(session, run_id)
        for measured in self._baselines:
            row = {"key": measured.key, "metrics": finite(measured.metrics)}
            session.execute(insert(Baseline).prefix_with("OR REPLACE").values(**row))
