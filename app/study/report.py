"""The report of a study, in the API's shape: figures from the runs, sentences from rules over the figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.metrics import BY_SHORT, COMPARED, Metric, relative_change
from app.run_config import LABELS
from app.study import text
from app.study.findings import Finding, IntervalOf, confounded, findings, tried
from app.study.recommendations import next_steps, recommendations
from app.study.runs import Configuration, StudyRun, best, configurations, differing, effective_batch_size

Json = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """An experiment with its finished runs, in the order they were made; `baseline` is the id of one of them."""

    experiment: Json
    setup: Json
    runs: Sequence[StudyRun]
    baseline: int | None
    interval: IntervalOf
    unfinished: int = 0
    best_by: str = "perplexity"
    facts: Sequence[str] = field(default_factory=tuple)  # caveats that only the source of the runs can know


def build(study: Study) -> Json:
    """`{experiment, setup, table, best, base_vs_finetuned, findings, memory, time, recommendations, next, caveats}`."""
    metric = _metric(study)
    groups = [c for c in configurations(study.runs) if c.mean(metric) is not None]
    baseline = _baseline(study, groups)
    comparable = [c for c in groups if baseline and c.first.comparable(baseline.first, BY_SHORT[metric])]
    found = findings(comparable, baseline, metric, study.interval) if baseline else []
    winner = best(comparable, metric)
    return {
        "experiment": study.experiment,
        "setup": study.setup,
        "metric": metric,
        "table": [_table_row(run, baseline, found) for run in study.runs],
        "best": _best(winner, metric),
        "base_vs_finetuned": _base_vs_finetuned(winner),
        "findings": [_finding(finding, found) for finding in found],
        "memory": _memory(comparable),
        "time": [_time(run, study.setup.get("train_rows")) for run in study.runs],
        "recommendations": [vars(item) for item in recommendations(comparable, found, metric)],
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


def _table_row(run: StudyRun, baseline: Configuration | None, found: Sequence[Finding]) -> Json:
    first = baseline.first if baseline else None
    return {
        "run_id": run.id,
        "name": run.name,
        "settings": run.settings,
        **{m.short: run.metrics.get(m.short) for m in COMPARED},
        "deltas": {m.short: _delta(run, first, m) for m in COMPARED},
        "train_seconds": run.resources.get("train_seconds"),
        "peak_memory_bytes": run.resources.get("peak_memory_bytes"),
        "notes": run.notes,
        "numbers_say": next((_says(f) for f in found if any(r.id == run.id for r in f.other.runs)), None),
    }


def _delta(run: StudyRun, first: StudyRun | None, metric: Metric) -> float | None:
    if first is None or run.id == first.id or not run.comparable(first, metric):
        return None
    ours, theirs = run.metrics.get(metric.short), first.metrics.get(metric.short)
    return None if ours is None or theirs is None else ours - theirs


def _says(finding: Finding) -> str:
    word = text.verdict_word(finding)
    return word if word == "the same" else f"{word}, {text.percent(finding.relative_change)}"


def _best(winner: Configuration | None, metric: str) -> Json | None:
    if winner is None:
        return None
    run = winner.first
    return {
        "run_id": run.id,
        "name": run.name,
        "metric": metric,
        "value": winner.mean(metric),
        "seeds": len(winner.runs),
        "spread": winner.spread(metric),
        "settings": run.settings,
        "effective_batch_size": effective_batch_size(run),
    }


def _base_vs_finetuned(winner: Configuration | None) -> Json:
    run = winner.first if winner else None
    return {m.short: _pair(run, m.short) if run else None for m in COMPARED}


def _pair(run: StudyRun, metric: str) -> Json:
    base, tuned = run.base.get(metric), run.metrics.get(metric)
    interval = run.intervals.get(metric)
    return {"base": base, "finetuned": tuned, "improvement": relative_change(base, tuned), "interval": interval}


def _finding(finding: Finding, found: Sequence[Finding]) -> Json:
    before, after = finding.baseline.first, finding.other.first
    batches = (effective_batch_size(before), effective_batch_size(after))
    numbers = [v for v in tried(finding, found) if isinstance(v, int | float)]
    smallest = bool(numbers) and finding.to_value == min(numbers)
    return {
        "id": finding.id,
        "factor": finding.factor,
        "label": LABELS[finding.factor],
        "linked": list(finding.linked),
        "baseline_run": before.id,
        "run": after.id,
        "from": finding.from_value,
        "to": finding.to_value,
        "metric": finding.metric,
        "value_from": finding.value_from,
        "value_to": finding.value_to,
        "relative_change": finding.relative_change,
        "better": finding.better,
        "interval": finding.interval,
        "memory_change_bytes": finding.memory_change_bytes,
        "time_change_seconds": finding.time_change_seconds,
        "at_edge": finding.at_edge,
        "text": text.finding_sentence(finding, batches, smallest),
    }


def _memory(groups: Sequence[Configuration]) -> list[Json]:
    """Peak and mean by quantisation, from matched configurations where there are any; saving against unquantised."""
    by_method: dict[str, list[Configuration]] = {}
    for group in groups:
        method = group.first.settings.get("quantization.method")
        if group.resource("peak_memory_bytes") is not None:
            by_method.setdefault(method or "not stated", []).append(group)
    whole = by_method.get("none", [])
    return [_memory_row(method, members, whole) for method, members in by_method.items()]


def _memory_row(method: str, members: Sequence[Configuration], whole: Sequence[Configuration]) -> Json:
    member = next((c for c in members for w in whole if _only_quantisation(c, w)), members[0])
    twin = next((w for w in whole if _only_quantisation(member, w)), None)
    peak = member.resource("peak_memory_bytes")
    rss = any(run.resources.get("memory_kind") == "rss" for run in member.runs)
    saving = None
    if twin is not None and method != "none" and not rss:
        saving = relative_change(twin.resource("peak_memory_bytes"), peak)
    return {
        "quantization": method,
        "run": member.first.id,
        "peak_bytes": peak,
        "mean_bytes": member.resource("mean_memory_bytes"),
        "memory_kind": "rss" if rss else "cuda" if not member.first.imported else "stated",
        "saving": saving,
    }


def _only_quantisation(a: Configuration, b: Configuration) -> bool:
    return a is not b and set(differing(a.first, b.first)) <= {"quantization.method", "quantization.double_quant"}


def _time(run: StudyRun, train_rows: int | None) -> Json:
    total, epochs = run.resources.get("train_seconds"), run.settings.get("training.num_train_epochs")
    per_rows = run.resources.get("seconds_per_1000_rows")
    per_examples = run.resources.get("seconds_per_1000_examples")
    if run.imported and total is not None and train_rows:
        per_rows = total / train_rows * 1000
        per_examples = per_rows / epochs if epochs else None
    per_epoch = run.resources.get("seconds_per_epoch") or (
        total / epochs if total and epochs and run.imported else None
    )
    return {
        "run": run.id,
        "name": run.name,
        "per_epoch": per_epoch,
        "total": total,
        "per_1000_rows": per_rows,
        "per_1000_examples": per_examples,
        "tokens_per_second": run.resources.get("tokens_per_second"),
    }


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
    imported = bool(study.runs) and all(run.imported for run in study.runs)
    rules = [
        (len(comparable) > 1, text.BEST_OF.format(len(comparable))),
        (bool(comparable) and all(len(c.runs) == 1 for c in comparable), text.NO_SEEDS),
        (imported, text.TYPED_ELSEWHERE),
        (imported and not study.setup.get("train_rows"), text.ROWS_NOT_STATED),
        (any(run.resources.get("memory_kind") == "rss" for run in study.runs), text.RSS),
        (bool(mixed), text.CONFOUNDED.format(text.listing(mixed))),
        (apart > 0, text.APART.format(apart, len(groups))),
        (len([f for f in found if f.interval]) > 1, text.SEVERAL),
        (study.unfinished > 0, text.UNFINISHED.format(study.unfinished)),
    ]
    return [*study.facts, *(sentence for holds, sentence in rules if holds)]
