"""The list of runs: filtered, in a total order, a page at a time."""

from sqlmodel import Session, func, select

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
    column, descending = parse_sort(sort)
    order = Order(sort, sql_value(column), RUN_ID, descending)
    conditions = runs.conditions()
    total = session.exec(
        select(func.count()).select_from(Run).join(Experiment, ITS_EXPERIMENT).where(*conditions)
    ).one()
    if cursor:
        conditions.append(order.after(cursor))
    statement = select(Run, Experiment, order.value.label("place")).join(Experiment, ITS_EXPERIMENT).where(*conditions)
    rows = session.exec(statement.order_by(*order.clauses()).limit(limit + 1)).all()
    more = None
    if len(rows) > limit:
        last = rows[limit - 1]
        assert last[0].id is not None
        more = order.cursor(last[2], last[0].id)
    return Page([(run, experiment) for run, experiment, _ in rows[:limit]], more, total)
