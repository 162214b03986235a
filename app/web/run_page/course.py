"""How a run went, as its page shows it when it is made: curves, the table behind them, the log."""

from typing import Any

from sqlmodel import Session

from app.models import Run
from app.series import Series, read_series
from app.settings import Settings
from app.status import ENDED
from app.web.run_page import curves, log, small_charts, values
from app.web.run_page.log import Place

# Of each series, for what the server draws of it.
DRAWN_POINTS = 800


def course(session: Session, settings: Settings, run: Run, place: Place) -> dict[str, Any]:
    assert run.id is not None
    series = series_of(session, run.id)
    train, held_out, validation = (series.get(name) for name in small_charts.LOSSES)
    return {
        "loss": curves.loss_chart(train, held_out, run.total_steps, validation),
        "sampled": [found for found in series.values() if found.sampled],
        "values": values.values(session, run.id, series),
        "small_charts": small_charts.small_charts(series, run.total_steps, ended=run.status in ENDED),
        "log": log.shown(settings, run.id, place),
    }


def series_of(session: Session, run_id: int) -> dict[str, Series]:
    return {found.name: found for found in read_series(session, run_id, max_points=DRAWN_POINTS)}
