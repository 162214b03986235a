"""Recommendations and what to try next: each a rule over the findings, tied to the ones it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.metrics import BY_SHORT, is_better
from app.run_config import LABELS, value_text
from app.study.findings import Finding, tried
from app.study.runs import SEED, Configuration, best
from app.study.text import comparison, duration, listing, metric_value, size


@dataclass(frozen=True)
class Recommendation:
    text: str
    because: list[str]


@dataclass(frozen=True)
class Next:
    """Something worth trying; `config_changes` are set on top of `of`'s configuration."""

    text: str
    config_changes: dict[str, Any]
    seeds: list[int] = field(default_factory=list)


def recommendations(study: Sequence[Configuration], found: Sequence[Finding], metric: str) -> list[Recommendation]:
    """The winner, then one sentence a factor, then what a budget buys."""
    winner = best(study, metric)
    if winner is None:
        return []
    value = winner.mean(metric)
    assert value is not None
    mine = [f.id for f in found if f.other is winner]
    figure = f"{BY_SHORT[metric].label} {metric_value(metric, value)}"
    head = f"Use {winner.first.name}: {figure} is the best of {len(study)} configurations."
    return [Recommendation(head, mine), *_by_factor(found), *_budgets(study, found, metric)]


def _by_factor(found: Sequence[Finding]) -> list[Recommendation]:
    factors: dict[tuple[str, int], list[Finding]] = {}
    for finding in found:
        factors.setdefault((finding.factor, finding.baseline.first.id), []).append(finding)
    return [_factor(group) for group in factors.values()]


def _factor(group: list[Finding]) -> Recommendation:
    """Take the best value where it is better, keep the present one where all others are worse, else the cheaper."""
    label, ids = LABELS[group[0].factor], [f.id for f in group]
    better = [f for f in group if f.better]
    present = value_text(group[0].from_value)
    if better:
        top = better[0]
        for finding in better[1:]:
            if is_better(BY_SHORT[finding.metric], finding.value_to, top.value_to):
                top = finding
        return Recommendation(f"{label}: take {value_text(top.to_value)}. {comparison(top)}.", ids)
    values = listing([value_text(f.to_value) for f in group])
    if all(f.better is False for f in group):
        return Recommendation(f"{label}: keep {present}; {values} {'was' if len(group) == 1 else 'were'} worse.", ids)
    unclear = listing([value_text(f.to_value) for f in group if f.better is None])
    return Recommendation(f"{label}: no difference was shown between {present} and {unclear}; take the cheaper.", ids)


def _budgets(study: Sequence[Configuration], found: Sequence[Finding], metric: str) -> list[Recommendation]:
    """The best within the memory, and within the time, of the cheapest configuration."""
    said = []
    for resource, words, text in (("peak_memory_bytes", "memory", size), ("train_seconds", "time", duration)):
        known = [(cost, c) for c in study if (cost := c.resource(resource)) is not None and c.mean(metric) is not None]
        winner = best([c for _, c in known], metric)
        if winner is None or len({cost for cost, _ in known}) < 2:
            continue
        spent = winner.resource(resource)
        assert spent is not None
        cheaper = best([c for cost, c in known if cost < spent], metric)
        if cheaper is None:
            continue
        value, cost = cheaper.mean(metric), cheaper.resource(resource)
        assert value is not None
        assert cost is not None
        sentence = (
            f"With less {words} than {winner.first.name} ({text(spent)}), {cheaper.first.name} is the best: "
            f"{BY_SHORT[metric].label} {metric_value(metric, value)} in {text(cost)}."
        )
        said.append(Recommendation(sentence, [f.id for f in found if cheaper in (f.other, f.baseline)]))
    return said


def next_steps(study: Sequence[Configuration], found: Sequence[Finding], metric: str) -> list[Next]:
    """Beyond the edges that won, the winners of several factors together, and replicates where there are none."""
    winner = best(study, metric)
    if winner is None:
        return []
    steps = [_beyond(f, found) for f in found if f.at_edge]
    return [*steps, *_combined(study, found), *_replicates(winner)]


def _beyond(finding: Finding, found: Sequence[Finding]) -> Next:
    largest = finding.to_value == max(tried(finding, found))
    step = finding.to_value / finding.from_value if finding.from_value else 2
    value = finding.to_value * step
    value = round(value) if isinstance(finding.to_value, int) or value > 5 else float(f"{value:.2g}")
    changes = {finding.factor: type(finding.to_value)(value)}
    for name in finding.linked:
        follower = finding.other.first.settings[name]
        changes[name] = type(follower)(round(follower * value / finding.to_value))
    where = "largest" if largest else "smallest"
    said = f"{value_text(finding.to_value)} was the {where} tried and the best"
    return Next(f"{LABELS[finding.factor]} {value_text(changes[finding.factor])}: {said}.", changes)


def _combined(study: Sequence[Configuration], found: Sequence[Finding]) -> list[Next]:
    """The better values of different factors at once, where nobody has tried them together."""
    tops: dict[str, Finding] = {}
    for f in found:
        if f.better and (f.factor not in tops or is_better(BY_SHORT[f.metric], f.value_to, tops[f.factor].value_to)):
            tops[f.factor] = f
    if len({f.baseline.first.id for f in tops.values()}) != 1 or len(tops) < 2:
        return []
    changes = {name: f.other.first.settings[name] for f in tops.values() for name in (f.factor, *f.linked)}
    if any(all(c.first.settings.get(k) == v for k, v in changes.items()) for c in study):
        return []
    words = listing([f"{LABELS[f.factor]} {value_text(f.to_value)}" for f in tops.values()])
    return [Next(f"{words} together: each was better alone.", changes)]


def _replicates(winner: Configuration) -> list[Next]:
    if len(winner.runs) > 2:
        return []
    seed = winner.first.settings.get(SEED, 42)
    seeds = [seed + 1, seed + 2]
    return [Next(f"{winner.first.name} again with seeds {seeds[0]} and {seeds[1]}: its spread is unknown.", {}, seeds)]
