"""The report of a study, in the API's shape: figures from the runs, sentences from rules over the figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.metrics import BY_SHORT, COMPARED
from app.run_config import LABELS
from app.study import champion, tables, text
from app.study.champion import Compared
from app.study.correction import PValueOf, corrected
from app.study.findings import Finding, IntervalOf, confounded, findings, tried
from app.study.next_steps import next_steps
from app.study.recommendations import recommendations
from app.study.runs import Configuration, StudyRun, best, configurations, effective_batch_size

Json = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """An experiment with its finished runs, in the order they were made; `baseline` is the id of one of them."""

    experiment: Json
    setup: Json
    runs: Sequence[StudyRun]
    baseline: int | None
    interval: IntervalOf
    p_value: PValueOf = lambda *_: None
    unfinished: int = 0
    failed: int = 0
    best_by: str = "perplexity"
    facts: Sequence[str] = field(default_factory=tuple)  # caveats that only the source of the runs can know


def build(study: Study) -> Json:
    """The report. Its table has every finished run; what is compared are those that compare with the baseline."""
    metric = _metric(study)
    groups = [c for c in configurations(study.runs) if c.mean(metric) is not None]
    baseline = _baseline(study, groups)
    comparable = [c for c in groups if baseline and c.first.comparable(baseline.first, BY_SHORT[metric])]
    found = corrected(findings(comparable, baseline, metric, study.interval), study.p_value) if baseline else []
    winner = best(comparable, metric)
    compared = Compared(found, winner, metric, study.interval)
    top = champion.describe(winner, baseline, comparable, compared) if winner else None
    return {
        "experiment": study.experiment,
        "setup": study.setup,
        "metric": metric,
        "baseline": {"run_id": baseline.first.id, "name": baseline.first.name} if baseline else None,
        "table": tables.results(study.runs, groups, baseline, compared),
        "best": top,
        "base_vs_finetuned": tables.base_vs_finetuned(winner),
        "findings": [_finding(finding, found) for finding in found],
        "overfitting": tables.losses(study.runs),
        "trade_offs": tables.trade_offs(comparable, metric),
        "memory": tables.memory(comparable),
        "time": [tables.time(run, study.setup.get("train_rows")) for run in study.runs],
        "recommendations": [
            vars(item) for item in recommendations(comparable, found, metric, champion.not_told_from(top))
        ],
        "next": [vars(item) for item in next_steps(comparable, found, metric)],
        "caveats": _caveats(study, groups, comparable, baseline, found, metric),
    }


def _metric(study: Study) -> str:
    """The metric asked for, else the first that any run has."""
    names = [study.best_by, *(m.short for m in COMPARED)]
    return next((name for name in names if any(name in run.metrics for run in study.runs)), study.best_by)


def _baseline(study: Study, groups: Sequence[Configuration]) -> Configuration | None:
    own = next((c for c in groups if any(run.id == study.baseline for run in c.runs)), None)
    return own or (groups[0] if groups else None)


def _finding(finding: Finding, found: Sequence[Finding]) -> Json:
    before, after = finding.baseline.first, finding.other.first
    batches = (effective_batch_size(before), effective_batch_size(after))
    return {
        "id": finding.id,
        "factor": finding.factor,
        "label": LABELS[finding.factor],
        "linked": list(finding.linked),
        "baseline_run": before.id,
        "baseline_name": before.name,
        "run": after.id,
        "run_name": after.name,
        "from": finding.from_value,
        "to": finding.to_value,
        "metric": finding.metric,
        "value_from": finding.value_from,
        "value_to": finding.value_to,
        "relative_change": finding.relative_change,
        "better": finding.better,
        "interval": finding.interval,
        "p_value": finding.p_value,
        "p_adjusted": finding.p_adjusted,
        "memory_change_bytes": finding.memory_change_bytes,
        "time_change_seconds": finding.time_change_seconds,
        "others": [vars(aside) for aside in finding.asides],
        "at_edge": finding.at_edge,
        "title": text.title(finding),
        "text": text.finding_sentence(finding, batches, _is_smallest(finding, found)),
    }


def _is_smallest(finding: Finding, found: Sequence[Finding]) -> bool:
    """Of the numbers tried; asked only of a finding at the edge."""
    return finding.at_edge and finding.to_value == min(tried(finding, found))


def _caveats(
    study: Study,
    groups: Sequence[Configuration],
    comparable: Sequence[Configuration],
    baseline: Configuration | None,
    found: Sequence[Finding],
    metric: str,
) -> list[str]:
    mixed = [c.first.name for c in confounded(comparable, baseline, metric)] if baseline else []
    apart = len(groups) - len(comparable)
    metric_name = BY_SHORT[metric].label
    imported = bool(study.runs) and all(run.imported for run in study.runs)
    comparisons = max((f.comparisons for f in found), default=0)
    rules = [
        (_stands_in(study, baseline), text.STANDS_IN.format(metric_name, baseline.first.name if baseline else "")),
        (len(comparable) > 1, text.BEST_OF.format(len(comparable))),
        (bool(comparable) and all(len(c.runs) == 1 for c in comparable), text.NO_SEEDS),
        (imported, text.TYPED_ELSEWHERE),
        (imported and not study.setup.get("train_rows"), text.ROWS_NOT_STATED),
        (any(run.resources.get("memory_kind") == "rss" for run in study.runs), text.RSS),
        (bool(mixed), text.CONFOUNDED.format(text.listing(mixed))),
        (apart > 0, text.APART.format(apart, len(groups))),
        (comparisons > 1, text.SEVERAL.format(comparisons)),
        (study.unfinished > 0, text.UNFINISHED.format(study.unfinished)),
        (study.failed > 0, text.FAILED.format(study.failed)),
    ]
    return [*study.facts, *(sentence for holds, sentence in rules if holds)]


def _stands_in(study: Study, baseline: Configuration | None) -> bool:
    """Whether the comparisons are with another run than the experiment's own baseline."""
    own = study.baseline is None or baseline is None or any(run.id == study.baseline for run in baseline.runs)
    return not own
