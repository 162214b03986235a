"""Everything that the templates of a report are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from app.metrics import BY_SHORT, COMPARED
from app.run_config import label
from app.study.runs import SEED
from app.web import forms
from app.web.numbers import setting
from app.web.report_page.plots import plots
from app.web.settings_view import COLUMNS

Json = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A setting of a run; None as a value was not stated."""

    label: str
    value: str
    differs: bool


@dataclass(frozen=True)
class Launch:
    text: str
    href: str


def build(report: Json) -> Json:
    """`report` as app.study.report has it; links are those of this server."""
    return {
        "report": report,
        "metric": BY_SHORT[report["metric"]],
        "rows": _rows(report),
        "numbers": {finding["id"]: number for number, finding in enumerate(report["findings"], 1)},
        "side_notes": {finding["id"]: _side_note(finding) for finding in report["findings"]},
        "plots": plots(report["trade_offs"]),
        "reach": _reach(report["findings"]),
        "launches": [_launches(step) for step in report["next"]],
        "again": f"/runs/new?clone={report['best']['run_id']}" if report["best"] else None,
        "largest_memory": max((row["peak_bytes"] for row in report["memory"]), default=0),
        "measured_losses": [row for row in report["overfitting"] if row["last"] is not None],
        "bases": {m.short: _base(report, m.short) for m in COMPARED},
    }


def _rows(report: Json) -> list[tuple[Json, list[Cell]]]:
    """Best first, each with its settings beside the baseline's; runs without the metric come last."""
    metric = report["metric"]
    sign = -1 if BY_SHORT[metric].direction == "higher" else 1
    ordered = sorted(report["table"], key=lambda row: (row[metric] is None, sign * (row[metric] or 0)))
    baseline = report["baseline"]["run_id"] if report["baseline"] else None
    theirs: Json = next((row["settings"] for row in report["table"] if row["run_id"] == baseline), {})
    return [(row, _cells(row["settings"], theirs)) for row in ordered]


def _cells(settings: Json, baseline: Json) -> list[Cell]:
    return [
        Cell(short, setting(settings.get(name)), settings.get(name) != baseline.get(name))
        for name, short in COLUMNS.items()
    ]


def _side_note(finding: Json) -> str:
    """The reservations about a finding, under its mark."""
    parts = ["an edge of what was tried: the best may lie beyond"] if finding["at_edge"] else []
    parts += [f"{label(name)} moved with it" for name in finding["linked"]]
    if finding["interval"] is None:
        parts.append("one run per setting")
    elif finding["better"] is None:
        parts.append("within noise")
    said = "; ".join(parts)
    return said[:1].upper() + said[1:]


def _reach(findings: Sequence[Json]) -> float:
    """How far an axis of relative changes has to go on either side of zero."""
    ends = [abs(end) for f in findings for end in (f["relative_change"] or 0.0, *(f["interval"] or ()))]
    return max(ends, default=0.0) * 1.1 or 0.1


def _launches(step: Json) -> list[Launch]:
    """The launch form, filled in: one link, or one for each seed."""
    changes = {name: forms.text_of(value) for name, value in step["config_changes"].items()}
    if not step["seeds"]:
        return [Launch("Launch", _link(step["of"], changes))]
    return [Launch(f"Seed {seed}", _link(step["of"], {**changes, SEED: str(seed)})) for seed in step["seeds"]]


def _link(run_id: int, changes: dict[str, str]) -> str:
    return f"/runs/new?{urlencode({'clone': run_id, **changes})}"


def _base(report: Json, metric: str) -> float | None:
    pair = report["base_vs_finetuned"][metric]
    return pair["base"] if pair else None
