"""How sure the change from one configuration to another is: paired over the rows that all their runs answered.

Both configurations' seeds count. A configuration's value is the mean over its seeds; the interval covers the choice
of rows (the same draws of rows for every run) and, where either side has two seeds or more, what other seeds would
have given. With one seed on each side that second part is unknown and not in the interval.
"""

from app.settings import Settings
from app.statistics import differences
from app.statistics.significance import Difference, Interval
from app.study.runs import Configuration


def relative(settings: Settings, a: Configuration, b: Configuration, metric: str) -> Interval | None:
    """95 % interval of (b - a) / a; None where no answers are kept."""
    found = difference(settings, a, b, metric)
    return found.relative if found else None


def p_value(settings: Settings, a: Configuration, b: Configuration, metric: str) -> float | None:
    """Two-sided, of b being as good as a; None where no answers are kept, or no relative change can be told."""
    found = difference(settings, a, b, metric)
    return found.p_value if found and found.relative else None


def difference(settings: Settings, a: Configuration, b: Configuration, metric: str) -> Difference | None:
    if any(run.imported for run in (*a.runs, *b.runs)):
        return None
    before, after = ([run.id for run in side.runs if metric in run.metrics] for side in (a, b))
    return differences.compare(settings, before, after).get(metric) if before and after else None
