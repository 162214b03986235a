"""What a study found, from matched comparisons only: two configurations that differ in one factor and in nothing else.

A factor is one setting, or settings that moved together in a known way (alpha with r at the same ratio): those are
named as linked, because the comparison cannot tell them apart. Configurations that differ in more are no evidence
about any one of them; they are listed as confounded.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.metrics import BY_SHORT, COMPARED, is_better, relative_change
from app.study.runs import Configuration, differing

# Settings that a launch may move together, leader first; the ratio must have stayed the same.
LINKS = (("lora.r", "lora.lora_alpha"),)
# Settings that change nothing in what is learnt, only how fast or in how much memory.
COST_ONLY = frozenset(
    {
        "training.gradient_checkpointing",
        "training.packing",
        "training.logits",
        "training.torch_compile",
        "training.use_liger_kernel",
        "training.logging_steps",
        "training.eval_steps",
        "lora.fused",
        "evaluation.generation",
    }
)
# Numbers that only name something: none of them is the largest, and nothing lies beyond.
NAMES = frozenset({"data.dataset", "data.split_seed"})

# The interval of the relative change of a metric from one configuration to another, or None where no spread is known.
Interval = tuple[float, float]
IntervalOf = Callable[[Configuration, Configuration, str], Interval | None]


@dataclass(frozen=True)
class Aside:
    """What the same comparison says on another metric."""

    metric: str
    value_from: float
    value_to: float
    better: bool | None


@dataclass(frozen=True)
class Finding:
    """One matched comparison on one metric. `better` None is within noise.

    `relative_change` is (to - from) / from, None where `from` is 0.
    """

    id: str
    factor: str
    linked: tuple[str, ...]
    baseline: Configuration
    other: Configuration
    from_value: Any
    to_value: Any
    metric: str
    value_from: float
    value_to: float
    relative_change: float | None
    better: bool | None
    interval: Interval | None
    memory_change_bytes: float | None
    time_change_seconds: float | None
    asides: tuple[Aside, ...] = ()
    at_edge: bool = False
    # Of there being no difference: alone, and among all `comparisons` of the metric (app.study.correction).
    p_value: float | None = None
    p_adjusted: float | None = None
    comparisons: int = 1

    def verdict_on(self, metric: str) -> bool | None:
        """What the comparison says on this or another metric; None also where it was not measured."""
        if metric == self.metric:
            return self.better
        return next((aside.better for aside in self.asides if aside.metric == metric), None)

    @property
    def lost_in_number(self) -> bool:
        """Alone it would be told from noise; among so many comparisons it is not."""
        return self.better is None and self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def factor(baseline: Configuration, other: Configuration) -> tuple[str, tuple[str, ...]] | None:
    """The one factor that two configurations differ in, with what was linked to it; None where there is not one."""
    names = differing(baseline.first, other.first)
    if any(name not in run.first.settings for name in names for run in (baseline, other)):
        return None  # one of the two did not state it: nobody knows what was compared
    if len(names) == 1:
        return names[0], ()
    for leader, *followers in LINKS:
        if set(names) == {leader, *followers} and all(_same_ratio(baseline, other, leader, f) for f in followers):
            return leader, tuple(followers)
    return None


def _same_ratio(a: Configuration, b: Configuration, leader: str, follower: str) -> bool:
    one, two = a.first.settings, b.first.settings
    if not all(isinstance(s.get(name), int | float) for s in (one, two) for name in (leader, follower)):
        return False
    return bool(one[follower] * two[leader] == two[follower] * one[leader])


def findings(
    study: Sequence[Configuration], baseline: Configuration, metric: str, interval: IntervalOf
) -> list[Finding]:
    """One finding a configuration, against the baseline where they match, else against the first that does."""
    found: list[Finding] = []
    for other in study:
        reference = _reference(study, baseline, other, metric)
        if reference is not None:
            found.append(_finding(f"f{len(found) + 1}", reference, other, metric, interval))
    return [_with_edge(finding, found) for finding in found]


def confounded(study: Sequence[Configuration], baseline: Configuration, metric: str) -> list[Configuration]:
    """Configurations with a result that differ from every other in more than one factor."""
    return [
        c
        for c in study
        if c is not baseline and _usable(baseline, c, metric) and not _reference(study, baseline, c, metric)
    ]


def _usable(a: Configuration, b: Configuration, metric: str) -> bool:
    known = a.mean(metric) is not None and b.mean(metric) is not None
    return known and a.first.comparable(b.first, BY_SHORT[metric])


def _reference(
    study: Sequence[Configuration], baseline: Configuration, other: Configuration, metric: str
) -> Configuration | None:
    if other is baseline:
        return None
    earlier = [baseline, *(c for c in study[: study.index(other)] if c is not baseline)]
    return next((c for c in earlier if _usable(c, other, metric) and factor(c, other)), None)


def _finding(id: str, baseline: Configuration, other: Configuration, metric: str, interval: IntervalOf) -> Finding:
    found = factor(baseline, other)
    value_from, value_to = baseline.mean(metric), other.mean(metric)
    assert found is not None
    assert value_from is not None
    assert value_to is not None
    name, linked = found
    bounds = interval(baseline, other, metric)
    return Finding(
        id=id,
        factor=name,
        linked=linked,
        baseline=baseline,
        other=other,
        from_value=baseline.first.settings.get(name),
        to_value=other.first.settings.get(name),
        metric=metric,
        value_from=value_from,
        value_to=value_to,
        relative_change=relative_change(value_from, value_to),
        better=verdict(metric, value_from, value_to, bounds),
        interval=bounds,
        memory_change_bytes=_memory_change(baseline, other),
        time_change_seconds=_change(baseline, other, "train_seconds"),
        asides=tuple(_asides(baseline, other, metric, interval)),
    )


def _asides(baseline: Configuration, other: Configuration, metric: str, interval: IntervalOf) -> Iterator[Aside]:
    for aside in COMPARED:
        before, after = baseline.mean(aside.short), other.mean(aside.short)
        known = before is not None and after is not None and baseline.first.comparable(other.first, aside)
        if aside.short != metric and known:
            assert before is not None
            assert after is not None
            bounds = interval(baseline, other, aside.short)
            yield Aside(aside.short, before, after, verdict(aside.short, before, after, bounds))


def verdict(metric: str, value_from: float, value_to: float, interval: Interval | None) -> bool | None:
    """Better, worse, or None: equal, or an interval that holds zero."""
    if value_from == value_to or (interval is not None and interval[0] <= 0 <= interval[1]):
        return None
    return is_better(BY_SHORT[metric], value_to, value_from)


def _memory_change(a: Configuration, b: Configuration) -> float | None:
    """None where it is the resident set of a process: that moves by itself more than by a setting."""
    if any(run.resources.get("memory_kind") == "rss" for run in (*a.runs, *b.runs)):
        return None
    return _change(a, b, "peak_memory_bytes")


def _change(a: Configuration, b: Configuration, resource: str) -> float | None:
    before, after = a.resource(resource), b.resource(resource)
    return None if before is None or after is None else after - before


def tried(finding: Finding, among: Sequence[Finding]) -> list[Any]:
    """The values of a finding's factor that its baseline was compared at, its own included, without order."""
    return [finding.from_value, *(f.to_value for f in siblings(finding, among))]


def siblings(finding: Finding, among: Sequence[Finding]) -> list[Finding]:
    """The comparisons of the same factor with the same baseline, this one included."""
    return [
        f for f in among if f.factor == finding.factor and f.linked == finding.linked and f.baseline is finding.baseline
    ]


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _with_edge(finding: Finding, among: Sequence[Finding]) -> Finding:
    """`at_edge`: the best of the numbers tried is the smallest or largest of them: a better one may lie beyond."""
    values = tried(finding, among)
    numbers = finding.factor not in NAMES and all(map(is_number, values))
    same = siblings(finding, among)
    best = all(
        f.value_to == finding.value_to or is_better(BY_SHORT[f.metric], finding.value_to, f.value_to) for f in same
    )
    edge = numbers and finding.to_value in (min(values), max(values))
    return Finding(**{**vars(finding), "at_edge": bool(edge and best and finding.better)})
