"""Every sentence of a report, each made by one rule from figures that stand in its tables."""

from collections.abc import Sequence

from app.metrics import BY_SHORT
from app.run_config import LABELS, value_text
from app.study.findings import Finding

MINUS = "\u2212"
ONE_SEED = "one run per setting: spread unknown"
WITHIN = "within noise"

BEST_OF = "The best is the best of {} configurations on the same held-out rows: expect a little less on new ones."
NO_SEEDS = "There is one run per setting: spread unknown. Three seeds of the best would tell."
TYPED_ELSEWHERE = "These figures were typed elsewhere: they could not be checked here and have no intervals."
ROWS_NOT_STATED = "Time per 1,000 rows is not given: the number of training rows was not stated."
RSS = "Memory is the process's resident set on CPU: it cannot show what 4-bit saves on a GPU, so no saving is given."
CONFOUNDED = "No finding is drawn from {}: several settings differ at once from every other run."
APART = "{} of {} configurations were measured on other rows or prompts and are not compared."
SEVERAL = "Several comparisons were made: about one interval in twenty misses the truth, so read each with care."
UNFINISHED = "Runs of this experiment without a result yet: {}. The report will change with them."


def number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".replace("-", MINUS)


def metric_value(metric: str, value: float) -> str:
    return number(value, BY_SHORT[metric].decimals)


def percent(change: float) -> str:
    """A share with its sign: −60.6 %."""
    sign = "+" if change > 0 else MINUS if change < 0 else "\u00b1"
    return f"{sign}{abs(change) * 100:.1f} %"


def duration(seconds: float) -> str:
    if abs(seconds) < 90:
        return f"{number(seconds, 0 if abs(seconds) >= 10 else 1)} s"
    if abs(seconds) < 5400 or (abs(seconds) % 3600 == 0 and abs(seconds) < 7200):
        return f"{number(seconds / 60, 0)} min"
    hours, minutes = divmod(round(abs(seconds) / 60), 60)
    return f"{MINUS if seconds < 0 else ''}{hours} h {minutes:02d} min"


def size(value: float) -> str:
    unit, factor, decimals = ("GB", 1e9, 1) if abs(value) >= 1e9 or abs(value) >= 9.5e7 else ("MB", 1e6, 0)
    return f"{number(value / factor, decimals)} {unit}"


def changed(value: float, text: str) -> str:
    """A cost's difference with its sign: +0.6 GB; costs are trades, so no word judges them."""
    return text if value < 0 else f"+{text}"


def verdict_word(finding: Finding) -> str:
    if finding.better is None:
        return "the same" if finding.value_from == finding.value_to else WITHIN
    return "better" if finding.better else "worse"


def comparison(finding: Finding) -> str:
    """`18.2 instead of 18.7, 2.7 % better`."""
    metric = BY_SHORT[finding.metric]
    after, before = (metric_value(finding.metric, value) for value in (finding.value_to, finding.value_from))
    share = f"{abs(finding.relative_change) * 100:.1f} %"
    word = verdict_word(finding)
    said = (
        word
        if word == "the same"
        else f"{percent(finding.relative_change)}, {word}"
        if word == WITHIN
        else f"{share} {word}"
    )
    return f"{metric.label} {after} instead of {before}, {said}"


def costs(finding: Finding) -> str:
    parts = []
    if finding.memory_change_bytes:
        parts.append(changed(finding.memory_change_bytes, size(finding.memory_change_bytes)))
    if finding.time_change_seconds:
        parts.append(changed(finding.time_change_seconds, duration(finding.time_change_seconds)))
    known = finding.memory_change_bytes is not None or finding.time_change_seconds is not None
    if not parts:
        return ", at the same memory and time" if known else ""
    return f", for {' and '.join(parts)}"


def spread(finding: Finding) -> str:
    if finding.interval is not None:
        low, high = finding.interval
        return f" (95 % interval {percent(low)} to {percent(high)})"
    return f" ({ONE_SEED})"


def together(finding: Finding) -> str:
    """What moved with the factor, so that the two cannot be told apart."""
    if not finding.linked:
        return ""
    names = " and ".join(LABELS[name] for name in finding.linked)
    return f" {names} moved with it, so the two cannot be told apart."


def effective_batch(before: int | None, after: int | None) -> str:
    if before is None or after is None or before == after:
        return ""
    return f" The effective batch size changed with it: {after} instead of {before}."


def beyond(finding: Finding, smallest: bool) -> str:
    if not finding.at_edge:
        return ""
    end = "smallest" if smallest else "largest"
    return f" {value_text(finding.to_value)} is the {end} tried: the best may lie beyond."


def finding_sentence(finding: Finding, batches: tuple[int | None, int | None], smallest: bool) -> str:
    """The whole sentence of one finding."""
    label = LABELS[finding.factor]
    head = f"{label} {value_text(finding.to_value)} instead of {value_text(finding.from_value)}: "
    tail = together(finding) + effective_batch(*batches) + beyond(finding, smallest)
    return f"{head}{comparison(finding)}{costs(finding)}{spread(finding)}.{tail}"


def listing(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
