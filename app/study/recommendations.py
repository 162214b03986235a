"""Recommendations and what to try next: each a rule over the findings, tied to the ones it rests on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.metrics import BY_SHORT, is_better
from app.run_config import LABELS
from app.study.findings import Finding
from app.study.runs import Configuration, best, ties
from app.study.text import comparison, costs, duration, listing, metric_pair, metric_value, setting_text, size


@dataclass(frozen=True)
class Recommendation:
    text: str
    because: list[str]


def recommendations(
    study: Sequence[Configuration], found: Sequence[Finding], metric: str, rivals: Sequence[str] = ()
) -> list[Recommendation]:
    """The winner, then one sentence a factor, then what a budget buys. Of one configuration there is none.

    `rivals` are the names of those that the winner is not told from.
    """
    winner = best(study, metric)
    if winner is None or len(study) < 2:
        return []
    return [_winner(winner, study, found, metric, rivals), *_by_factor(found), *_budgets(study, found, metric)]


def _winner(
    winner: Configuration,
    study: Sequence[Configuration],
    found: Sequence[Finding],
    metric: str,
    rivals: Sequence[str],
) -> Recommendation:
    value = winner.mean(metric)
    assert value is not None
    mine = [f.id for f in found if winner in (f.other, f.baseline)]
    figure = f"{BY_SHORT[metric].label} {metric_value(metric, value)}"
    also = ties(study, winner, metric)
    shared = f"; {listing([c.first.name for c in also])} {'has' if len(also) == 1 else 'have'} the same" if also else ""
    unsure = f"; it is not told from {listing(rivals)}, so a cheaper one of them may do" if rivals else ""
    return Recommendation(
        f"Use {winner.first.name}: {figure} is the best of {len(study)} configurations{shared}{unsure}.", mine
    )


def _by_factor(found: Sequence[Finding]) -> list[Recommendation]:
    factors: dict[tuple[str, tuple[str, ...], int], list[Finding]] = {}
    for finding in found:
        factors.setdefault((finding.factor, finding.linked, finding.baseline.first.id), []).append(finding)
    return [_factor(group) for group in factors.values()]


def _factor(group: list[Finding]) -> Recommendation:
    """Take the best value where it is better, keep the present one where all others are worse, else say neither."""
    label = LABELS[group[0].factor] + "".join(f" with {LABELS[name]}" for name in group[0].linked)
    ids = [f.id for f in group]
    present = setting_text(group[0].from_value)
    if better := [f for f in group if f.better]:
        top = best_of(better)
        return Recommendation(f"{label}: take {setting_text(top.to_value)}. {comparison(top)}{costs(top)}.", ids)
    values = listing([setting_text(f.to_value) for f in group])
    if all(f.better is False for f in group):
        return Recommendation(f"{label}: keep {present}; {values} {'was' if len(group) == 1 else 'were'} worse.", ids)
    unclear = listing([setting_text(f.to_value) for f in group if f.better is None])
    said = f"{label}: no difference was shown between {present} and {unclear}; take the one that costs less."
    return Recommendation(said, ids)


def best_of(found: Sequence[Finding]) -> Finding:
    """The one with the best value; the earlier one where two tie."""
    top = found[0]
    for finding in found[1:]:
        if is_better(BY_SHORT[finding.metric], finding.value_to, top.value_to):
            top = finding
    return top


def _budgets(study: Sequence[Configuration], found: Sequence[Finding], metric: str) -> list[Recommendation]:
    """The best that takes less memory, and less time, than the winner."""
    costs = (("peak_memory_bytes", "memory", size), ("train_seconds", "time", duration))
    said = (_budget(study, found, metric, *cost) for cost in costs)
    return [item for item in said if item is not None]


def _budget(
    study: Sequence[Configuration],
    found: Sequence[Finding],
    metric: str,
    resource: str,
    words: str,
    text: Callable[[float], str],
) -> Recommendation | None:
    """None where a cost is not known, or memory is that of a whole process on CPU; nor for less than a unit shows."""
    known = [(cost, c) for c in study if (cost := _cost(c, resource)) is not None and c.mean(metric) is not None]
    winner = best(study, metric)
    spent = _cost(winner, resource) if winner else None
    if winner is None or spent is None:
        return None
    cheaper = best([c for cost, c in known if cost < spent and text(cost) != text(spent)], metric)
    if cheaper is None:
        return None
    value, cost, top = cheaper.mean(metric), _cost(cheaper, resource), winner.mean(metric)
    assert value is not None
    assert cost is not None
    assert top is not None
    figure, best_figure = metric_pair(metric, value, top)
    sentence = (
        f"With less {words} than {winner.first.name} takes ({text(spent)}), {cheaper.first.name} is the best: "
        f"{BY_SHORT[metric].label} {figure} in {text(cost)}, against {best_figure}."
    )
    return Recommendation(sentence, [f.id for f in found if cheaper in (f.other, f.baseline)])


def _cost(configuration: Configuration, resource: str) -> float | None:
    rss = resource == "peak_memory_bytes" and configuration.memory_kind == "rss"
    return None if rss else configuration.resource(resource)
