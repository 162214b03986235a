"""The order of what waits: by `queue_position`, then by id."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from app.board.run_filter import ITS_EXPERIMENT
from app.errors import Conflict
from app.models import Experiment, Run
from app.status import RunStatus

IN_ORDER = col(Run.queue_position), col(Run.id)


def waiting(session: Session) -> list[tuple[Run, Experiment]]:
    """All queued runs, the next one first."""
    queued = select(Run, Experiment).join(Experiment, ITS_EXPERIMENT).where(Run.status == RunStatus.QUEUED)
    return list(session.exec(queued.order_by(*IN_ORDER)))


def running(session: Session) -> list[tuple[Run, Experiment]]:
    statement = select(Run, Experiment).join(Experiment, ITS_EXPERIMENT).where(Run.status == RunStatus.RUNNING)
    return list(session.exec(statement.order_by(col(Run.started_at), col(Run.id))))


def reorder(session: Session, ids: Sequence[int]) -> None:
    """Put these first, in this order; the others follow as they were. Conflict where one is not waiting (any more)."""
    in_order = select(Run).where(Run.status == RunStatus.QUEUED).order_by(*IN_ORDER)
    queued = {run.id: run for run in session.exec(in_order)}
    if gone := [str(i) for i in ids if i not in queued]:
        raise Conflict(f"Not waiting any more: run {', '.join(gone)}. The order was left as it is.")
    order = dict.fromkeys([*ids, *queued])
    for position, run_id in enumerate(order, start=1):
        queued[run_id].queue_position = float(position)
    session.commit()
