"""A comparison as a whole: settings, results, costs and what follows from them, in the API's shape as well."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlmodel import Session

from app import runs
from app.board.comparability import reason
from app.board.comparable import comparable
from app.compare.chosen import Chosen
from app.compare.recorded import Recorded, recorded
from app.compare.resources import ResourceRow, resources
from app.compare.results import Delta, MetricRow, results
from app.compare.settings import SettingRow, settings
from app.compare.verdict import Piece, verdict
from app.metrics import COMPARED
from app.settings import Settings
from app.statistics import differences
from app.statistics.significance import Difference

Json = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """`apart`: by run id, why a run with results is not set against the baseline in some metric."""

    chosen: Chosen
    verdict: list[Piece]
    settings: list[SettingRow]
    metrics: list[MetricRow]
    resources: list[ResourceRow]
    series: list[Recorded]
    apart: Mapping[int, str]


def build(session: Session, places: Settings, chosen: Chosen) -> Comparison:
    rows = results(places, chosen.runs)
    return Comparison(
        chosen,
        verdict(chosen.runs, rows, partial(_lead, places)),
        settings(chosen.runs),
        rows,
        resources(chosen.runs),
        recorded(session, chosen.ids),
        _apart(session, chosen),
    )


def _lead(places: Settings, rival: int, winner: int) -> Mapping[str, Difference]:
    return differences.compare(places, [rival], [winner])


def _apart(session: Session, chosen: Chosen) -> dict[int, str]:
    """Only of runs that have results: of others there is nothing to compare yet."""
    if not chosen.baseline.results:
        return {}
    return {
        run.id or 0: reason(session, run, chosen.baseline)
        for run in chosen.others
        if run.results and not all(comparable(run, chosen.baseline, metric.short) for metric in COMPARED)
    }


def to_api(comparison: Comparison) -> Json:
    chosen = comparison.chosen
    return {
        "baseline": chosen.baseline.id,
        "runs": [runs.to_api(run, chosen.experiments[run.experiment_id]) for run in chosen.runs],
        "missing": list(chosen.missing),
        "verdict": " ".join(piece.text for piece in comparison.verdict),
        "settings": [vars(row) for row in comparison.settings],
        "metrics": [_metric(row) for row in comparison.metrics],
        "resources": [vars(row) for row in comparison.resources],
        "series": [vars(row) for row in comparison.series],
        "apart": dict(comparison.apart),
    }


def _metric(row: MetricRow) -> Json:
    metric = row.metric
    return {
        "name": metric.name,
        "short": metric.short,
        "label": metric.label,
        "unit": metric.unit,
        "direction": metric.direction,
        "values": row.values,
        "deltas": {run_id: _delta(delta) for run_id, delta in row.deltas.items()},
        "best": sorted(row.best),
        "base": row.base,
    }


def _delta(delta: Delta) -> Json:
    return vars(delta)
