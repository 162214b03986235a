"""The list of runs: filtered, in a total order, a page at a time."""

from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from app.board.run_columns import RUN_ID, parse_sort, sql_value
from app.board.run_filter import ITS_EXPERIMENT, RunFilter
from app.listing import DEFAULT_LIMIT, Order, Page
from app.models import Experiment, Run

NEWEST_FIRST = "-id"


def list_runs(
    session: Session,
    runs: RunFilter,
    *,
    sort: str = NEWEST_FIRST,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> Page[tuple[Run, Experiment]]:
    """Ids first: what is sorted and counted is small, and only the rows of the page are read whole."""
    column, descending = parse_sort(sort)
    order = Order(sort, sql_value(column), RUN_ID, descending)
    conditions = runs.conditions()
    total = session.exec(select(func.count()).select_from(Run).where(*conditions)).one()
    after = [order.after(cursor)] if cursor else []
    places = select(RUN_ID, order.value.label("place")).where(*conditions, *after).order_by(*order.clauses())
    found = session.exec(places.limit(limit + 1)).all()
    more = order.cursor(found[limit - 1][1], found[limit - 1][0]) if len(found) > limit else None
    return Page(_read(session, [run_id for run_id, _ in found[:limit]]), more, total)


def _read(session: Session, ids: Sequence[int]) -> list[tuple[Run, Experiment]]:
    statement = select(Run, Experiment).join(Experiment, ITS_EXPERIMENT).where(col(Run.id).in_(ids))
    by_id = {run.id: (run, experiment) for run, experiment in session.exec(statement)}
    return [by_id[run_id] for run_id in ids]
