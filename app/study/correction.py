"""Several comparisons at once: a finding is better or worse only where it stays so after Holm's correction.

Of twenty comparisons without a real difference one comes out as a difference, at a 95 % interval each. Corrected, all
that is said of a metric holds together with 95 % certainty. Findings without a p-value (results from elsewhere, runs
without kept answers) are left as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from app.metrics import COMPARED
from app.statistics.significance import LEVEL, holm
from app.study.findings import Aside, Finding
from app.study.runs import Configuration

# Of a metric being the same in both configurations; None where no spread is known.
PValueOf = Callable[[Configuration, Configuration, str], float | None]

# By finding id: the p-value of a metric, alone and corrected for all findings.
Family = Mapping[str, tuple[float, float]]


def corrected(found: Sequence[Finding], p_value: PValueOf) -> list[Finding]:
    """Each metric is a family of its own: what is said of one does not depend on which others were measured."""
    families = {metric.short: _family(found, metric.short, p_value) for metric in COMPARED}
    return [_corrected(finding, families) for finding in found]


def _family(found: Sequence[Finding], metric: str, p_value: PValueOf) -> Family:
    alone = {f.id: p for f in found if (p := p_value(f.baseline, f.other, metric)) is not None}
    return dict(zip(alone, zip(alone.values(), holm(list(alone.values())), strict=True), strict=True))


def _corrected(finding: Finding, families: Mapping[str, Family]) -> Finding:
    asides = tuple(_corrected_aside(aside, families[aside.metric].get(finding.id)) for aside in finding.asides)
    family = families[finding.metric]
    if finding.id not in family:
        return replace(finding, asides=asides)
    alone, adjusted = family[finding.id]
    better = finding.better if adjusted <= LEVEL else None
    return replace(
        finding,
        better=better,
        at_edge=finding.at_edge and better is not None,
        p_value=alone,
        p_adjusted=adjusted,
        comparisons=len(family),
        asides=asides,
    )


def _corrected_aside(aside: Aside, p_values: tuple[float, float] | None) -> Aside:
    return aside if p_values is None or p_values[1] <= LEVEL else replace(aside, better=None)
