"""The tables of a report: runs, base against fine-tuned, trade-offs, memory, time, and losses."""

from collections.abc import Sequence
from typing import Any

from app.metrics import BY_SHORT, COMPARED, Metric, relative_change
from app.study import notes, overfitting, pareto, text
from app.study.champion import Compared
from app.study.findings import Finding, IntervalOf, verdict
from app.study.runs import Configuration, StudyRun, differing, effective_batch_size, memory_kind

Json = dict[str, Any]
COSTS = ("train_seconds", "peak_memory_bytes")


def results(
    runs: Sequence[StudyRun], groups: Sequence[Configuration], baseline: Configuration | None, compared: Compared
) -> list[Json]:
    """A row a run, with its deltas to the baseline and what the numbers say beside the typed note."""
    group_of = {run.id: group for group in groups for run in group.runs}
    return [_result(run, group_of.get(run.id), baseline, compared) for run in runs]


def _result(run: StudyRun, group: Configuration | None, baseline: Configuration | None, compared: Compared) -> Json:
    finding = next((f for f in compared.findings if group is not None and f.other is group), None)
    return {
        "run_id": run.id,
        "name": run.name,
        "origin": "imported" if run.imported else "launched",
        "compared": baseline is not None and run.comparable(baseline.first, BY_SHORT[compared.metric]),
        "settings": run.settings,
        "effective_batch_size": effective_batch_size(run),
        **{m.short: run.metrics.get(m.short) for m in COMPARED},
        "deltas": {m.short: _delta(run, baseline.first if baseline else None, m) for m in COMPARED},
        "better": {m.short: _better(group, baseline, finding, m, compared.interval) for m in COMPARED},
        "train_seconds": run.resources.get("train_seconds"),
        "peak_memory_bytes": run.resources.get("peak_memory_bytes"),
        "memory_kind": memory_kind(run),
        "notes": run.notes,
        **_beside_the_note(run, group, finding, compared),
    }


def _better(
    group: Configuration | None,
    baseline: Configuration | None,
    finding: Finding | None,
    metric: Metric,
    interval: IntervalOf,
) -> bool | None:
    """Of the run's configuration against the baseline's, as the finding has it; None also where nothing can be said."""
    if finding is not None and finding.baseline is baseline:
        return finding.verdict_on(metric.short)
    if group is None or baseline is None or group is baseline or not group.first.comparable(baseline.first, metric):
        return None
    before, after = baseline.mean(metric.short), group.mean(metric.short)
    if before is None or after is None:
        return None
    return verdict(metric.short, before, after, interval(baseline, group, metric.short))


def _beside_the_note(run: StudyRun, group: Configuration | None, finding: Finding | None, compared: Compared) -> Json:
    """What the numbers say; a note that claims the best place is held against the whole study."""
    if finding is None:
        return {"numbers_say": None, "note_disagrees": False}
    said, winner = text.numbers_say(finding), compared.winner
    is_best = winner is None or group is winner or finding.other.mean(compared.metric) == winner.mean(compared.metric)
    disagrees = notes.disagrees(run.notes, finding.better, is_best=is_best)
    if disagrees and winner is not None and finding.better:
        said += f"; the best is {winner.first.name}"
    return {"numbers_say": said, "note_disagrees": disagrees}


def _delta(run: StudyRun, first: StudyRun | None, metric: Metric) -> float | None:
    if first is None or run.id == first.id or not run.comparable(first, metric):
        return None
    ours, theirs = run.metrics.get(metric.short), first.metrics.get(metric.short)
    return None if ours is None or theirs is None else ours - theirs


def base_vs_finetuned(winner: Configuration | None) -> Json:
    """Of the best configuration's first run."""
    run = winner.first if winner else None
    return {m.short: _pair(run, m.short) if run else None for m in COMPARED}


def _pair(run: StudyRun, metric: str) -> Json:
    base, tuned = run.base.get(metric), run.metrics.get(metric)
    interval = run.intervals.get(metric)
    return {"base": base, "finetuned": tuned, "improvement": relative_change(base, tuned), "interval": interval}


def trade_offs(groups: Sequence[Configuration], metric: str) -> Json:
    """Quality against what it costs; `on_front` where no other configuration is as good and cheaper.

    A cost counts only where every configuration with a result has it; a process's memory on CPU (RSS) never does.
    """
    rated = [(group, value) for group in groups if (value := group.mean(metric)) is not None]
    axes = [cost for cost in COSTS if rated and all(_counts(group, cost) for group, _ in rated)]
    sign = -1.0 if BY_SHORT[metric].direction == "higher" else 1.0
    places = [[sign * value, *(group.resource(cost) or 0.0 for cost in axes)] for group, value in rated]
    marks = pareto.front(places)
    return {
        "metric": metric,
        "axes": [metric, *axes],
        "points": [_point(group, metric, mark) for (group, _), mark in zip(rated, marks, strict=True)],
    }


def _counts(group: Configuration, cost: str) -> bool:
    rss = cost == "peak_memory_bytes" and group.memory_kind == "rss"
    return group.resource(cost) is not None and not rss


def _point(group: Configuration, metric: str, on_front: bool) -> Json:
    costs = {cost: group.resource(cost) for cost in COSTS}
    return {
        "run_id": group.first.id,
        "name": group.first.name,
        "value": group.mean(metric),
        **costs,
        "on_front": on_front,
    }


def memory(groups: Sequence[Configuration]) -> list[Json]:
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
    kind = member.memory_kind
    against = twin if method != "none" and kind != "rss" else None
    return {
        "quantization": method,
        "run": member.first.id,
        "name": member.first.name,
        "peak_bytes": member.resource("peak_memory_bytes"),
        "mean_bytes": member.resource("mean_memory_bytes"),
        "memory_kind": kind,
        "against": against.first.id if against else None,
        "saving": _saving(against, member, "peak_memory_bytes"),
        "mean_saving": _saving(against, member, "mean_memory_bytes"),
    }


def _saving(twin: Configuration | None, member: Configuration, resource: str) -> float | None:
    return relative_change(twin.resource(resource), member.resource(resource)) if twin else None


def _only_quantisation(a: Configuration, b: Configuration) -> bool:
    return a is not b and set(differing(a.first, b.first)) <= {"quantization.method", "quantization.double_quant"}


def time(run: StudyRun, train_rows: int | None) -> Json:
    """Of an imported run what follows from what was stated: total, epochs, and the rows of its set-up."""
    total, epochs = run.resources.get("train_seconds"), run.settings.get("training.num_train_epochs")
    per_epoch = run.resources.get("seconds_per_epoch")
    per_rows = run.resources.get("seconds_per_1000_rows")
    per_examples = run.resources.get("seconds_per_1000_examples")
    if run.imported and total is not None:
        per_epoch = total / epochs if epochs else None
        per_rows = total / train_rows * 1000 if train_rows else None
        per_examples = per_rows / epochs if per_rows is not None and epochs else None
    return {
        "run": run.id,
        "name": run.name,
        "per_epoch": per_epoch,
        "total": total,
        "per_1000_rows": per_rows,
        "per_1000_examples": per_examples,
        "tokens_per_second": run.resources.get("tokens_per_second"),
    }


def losses(runs: Sequence[StudyRun]) -> list[Json]:
    """Training against held-out loss, run by run: overfitting said, denied, or not to be told."""
    return [_loss(run, overfitting.judge(run.losses)) for run in runs]


def _loss(run: StudyRun, seen: overfitting.Judgement) -> Json:
    lowest, last = seen.lowest or (None, None), seen.last or (None, None)
    return {
        "run": run.id,
        "name": run.name,
        "overfits": seen.overfits,
        "lowest_epoch": lowest[0],
        "lowest": lowest[1],
        "last_epoch": last[0],
        "last": last[1],
        "train_last": seen.train_last,
        "text": text.overfitting_sentence(seen),
    }
