"""The best configuration, and how sure its lead is over the baseline and over the second best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.metrics import relative_change
from app.study import text
from app.study.findings import Finding, IntervalOf, verdict
from app.study.runs import Configuration, best, effective_batch_size, ties

Json = dict[str, Any]


@dataclass(frozen=True)
class Compared:
    """What is known of the comparisons: the findings, the best, and the spread of any two configurations."""

    findings: Sequence[Finding]
    winner: Configuration | None
    metric: str
    interval: IntervalOf


def describe(
    winner: Configuration, baseline: Configuration | None, among: Sequence[Configuration], compared: Compared
) -> Json:
    run, metric = winner.first, compared.metric
    equals = [c.first.name for c in ties(among, winner, metric)]
    return {
        "run_id": run.id,
        "name": run.name,
        "metric": metric,
        "value": winner.mean(metric),
        "seeds": len(winner.runs),
        "spread": winner.spread(metric),
        "ties": equals,
        "settings": run.settings,
        "effective_batch_size": effective_batch_size(run),
        "train_seconds": winner.resource("train_seconds"),
        "peak_memory_bytes": winner.resource("peak_memory_bytes"),
        "memory_kind": winner.memory_kind,
        "text": text.best_sentence(winner, metric, equals),
        "leads": [_lead(rival, winner, compared) for rival in _rivals(winner, baseline, among, metric)],
    }


def not_told_from(described: Json | None) -> list[str]:
    """The names of the rivals whose distance to the best is within noise; none where no spread is known."""
    leads = described["leads"] if described else []
    return [lead["name"] for lead in leads if lead["better"] is None and lead["interval"] is not None]


def _rivals(
    winner: Configuration, baseline: Configuration | None, among: Sequence[Configuration], metric: str
) -> list[Configuration]:
    """The baseline and the second best, where they are not the winner itself."""
    second = best([c for c in among if c is not winner], metric)
    found = [c for c in (baseline, second) if c is not None and c is not winner]
    return found[:1] if len(found) > 1 and found[0] is found[1] else found


def _lead(rival: Configuration, winner: Configuration, compared: Compared) -> Json:
    theirs, ours = rival.mean(compared.metric), winner.mean(compared.metric)
    assert theirs is not None
    assert ours is not None
    change, bounds = relative_change(theirs, ours), compared.interval(rival, winner, compared.metric)
    finding = next((f for f in compared.findings if f.baseline is rival and f.other is winner), None)
    better = finding.better if finding else verdict(compared.metric, theirs, ours, bounds)
    return {
        "run_id": rival.first.id,
        "name": rival.first.name,
        "relative_change": change,
        "better": better,
        "interval": bounds,
        "text": text.lead_sentence(rival.first.name, change, better, bounds),
    }
