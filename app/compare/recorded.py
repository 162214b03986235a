"""Which series the runs of a comparison recorded while they trained."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import true
from sqlmodel import Session, col, select

from app.metrics import BY_NAME
from app.models import MetricName, MetricPoint, Run


@dataclass(frozen=True)
class Recorded:
    name: str
    label: str
    unit: str
    runs: list[int]


def recorded(session: Session, ids: Sequence[int]) -> list[Recorded]:
    """Series of the catalogue that some of the runs have points of; a look at the key of each, not at its points."""
    has_points = (
        select(1).where(MetricPoint.run_id == Run.id, MetricPoint.name_id == MetricName.id).correlate(Run, MetricName)
    )
    statement = (
        select(MetricName.name, Run.id)
        .select_from(Run)
        .join(MetricName, true())  # every pair of the two
        .where(col(Run.id).in_(ids), col(MetricName.name).in_(BY_NAME), has_points.exists())
        .order_by(col(Run.id))
    )
    found: dict[str, list[int]] = {}
    for name, run_id in session.exec(statement):
        found.setdefault(name, []).append(run_id or 0)
    return [Recorded(m.name, m.label, m.unit, found[m.name]) for m in BY_NAME.values() if m.name in found]
