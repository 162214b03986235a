"""Every sentence of a report, each made by one rule from figures that stand in its tables."""

from collections.abc import Sequence
from typing import Any

from app.metrics import BY_SHORT, relative_change
from app.run_config import LABELS, value_text
from app.study.findings import Finding, Interval
from app.study.overfitting import Judgement
from app.study.runs import Configuration

MINUS = "\u2212"
ONE_SEED = "one run per setting: spread unknown"
WITHIN = "within noise"
MOST_DECIMALS = 6
LOSS_DECIMALS = BY_SHORT["loss"].decimals

BEST_OF = "The best is the best of {} configurations on the same held-out rows: expect a little less on new ones."
NO_SEEDS = "There is one run per setting: spread unknown. Three seeds of the best would tell."
TYPED_ELSEWHERE = "These figures were typed elsewhere: they could not be checked here and have no intervals."
ROWS_NOT_STATED = "Time per 1,000 rows is not given: the number of training rows was not stated."
RSS = "Memory is the process's resident set on CPU: it cannot show what 4-bit saves on a GPU, so no saving is given."
CONFOUNDED = "No finding is drawn from {}: several settings differ at once from every other run."
APART = "{} of {} configurations were measured on other rows or prompts and are not compared."
SEVERAL = (
    "Better and worse are said after Holm's correction for {} comparisons, so that all of them hold together with 95 % "
    "certainty; each interval stands for itself, and about one in twenty misses the truth."
)
CORRECTED = "{} after Holm's correction for {} comparisons"
UNFINISHED = "Runs of this experiment without a result yet: {}. The report will change with them."
FAILED = "Runs of this experiment that failed or were cancelled, and so are not in any figure: {}."
STANDS_IN = "The baseline has no {} to compare with: {} stands in for it."


def number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".replace("-", MINUS)


def metric_value(metric: str, value: float) -> str:
    return number(value, BY_SHORT[metric].decimals)


def metric_pair(metric: str, one: float, other: float) -> tuple[str, str]:
    """Two values with as many decimals as it takes to tell them apart, or to see that they are equal."""
    decimals = BY_SHORT[metric].decimals
    while one != other and number(one, decimals) == number(other, decimals) and decimals < MOST_DECIMALS:
        decimals += 1
    return number(one, decimals), number(other, decimals)


def setting_text(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else value_text(value)


def share(change: float) -> str:
    """The size of a change: 60.6 %, and 0.04 % where one decimal would make it nothing."""
    size = abs(change) * 100
    decimals = 1
    while size and round(size, decimals) == 0 and decimals < MOST_DECIMALS:
        decimals += 1
    return f"{size:.{decimals}f} %"


def percent(change: float) -> str:
    """A share with its sign: −60.6 %."""
    sign = "+" if change > 0 else MINUS if change < 0 else "\u00b1"
    return sign + share(change)


def duration(seconds: float) -> str:
    if abs(seconds) < 90:
        return f"{number(seconds, 0 if abs(seconds) >= 10 else 1)} s"
    if 90 <= abs(seconds) < 600 and seconds % 60:
        return f"{number(seconds / 60, 1)} min"
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


def within(finding: Finding) -> str:
    """Within noise, and whether it is only for being one of many."""
    return CORRECTED.format(WITHIN, finding.comparisons) if finding.lost_in_number else WITHIN


def numbers_say(finding: Finding) -> str:
    """A finding in the few words that stand beside a typed note: `worse, +4.3 %`."""
    word = verdict_word(finding)
    if word == "the same" or finding.relative_change is None:
        return word
    return f"{word}, {percent(finding.relative_change)}"


def comparison(finding: Finding) -> str:
    """`18.2 instead of 18.7, 2.7 % better`."""
    after, before = metric_pair(finding.metric, finding.value_to, finding.value_from)
    word, change = verdict_word(finding), finding.relative_change
    said = word
    if word == WITHIN and change is not None:
        said = f"{percent(change)}, {within(finding)}"
    elif word != "the same" and change is not None:
        said = f"{share(change)} {word}"
    return f"{BY_SHORT[finding.metric].label} {after} instead of {before}, {said}"


def costs(finding: Finding) -> str:
    """What it takes more or less, in units; a difference too small for them is none."""
    changes = (("memory", finding.memory_change_bytes, size), ("time", finding.time_change_seconds, duration))
    known = [(name, value, text(value)) for name, value, text in changes if value is not None]
    parts = [changed(value, said) for _, value, said in known if any(digit in said for digit in "123456789")]
    if not parts:
        return f", at the same {' and '.join(name for name, _, _ in known)}" if known else ""
    return f", for {' and '.join(parts)}"


def spread(finding: Finding) -> str:
    if finding.interval is None:
        return f" ({ONE_SEED})"
    low, high = finding.interval
    seeds = (len(finding.baseline.runs), len(finding.other.runs))
    over = f" over {seeds[1]} and {seeds[0]} seeds" if max(seeds) > 1 else ""
    return f" (95 % interval {percent(low)} to {percent(high)}{over})"


def aside(finding: Finding) -> str:
    """Where another metric points the other way."""
    if finding.better is None:
        return ""
    against = [a for a in finding.asides if a.better is (not finding.better)]
    if not against:
        return ""
    told = [f"{BY_SHORT[a.metric].label} ({' to '.join(metric_pair(a.metric, a.value_from, a.value_to))})"
            for a in against]  # fmt: skip
    return f" {listing(told)} {'points' if len(told) == 1 else 'point'} the other way."


def title(finding: Finding) -> str:
    """`LoRA r 16 is better than 8`."""
    after, before = setting_text(finding.to_value), setting_text(finding.from_value)
    follow = "".join(
        f" with {LABELS[name]} {setting_text(finding.other.first.settings.get(name))}" for name in finding.linked
    )
    verdict = {"better": "is better than", "worse": "is worse than", "the same": "equals", WITHIN: "is not told from"}
    return f"{LABELS[finding.factor]} {after}{follow} {verdict[verdict_word(finding)]} {before}"


def overfitting_sentence(seen: Judgement) -> str:
    """Overfitting said or denied, with the figures that say it."""
    if seen.lowest is None or seen.last is None:
        return "It cannot be told whether it overfits: the held-out loss was not measured twice."
    end = f"{number(seen.last[1], LOSS_DECIMALS)} at the end"
    low = f"{number(seen.lowest[1], LOSS_DECIMALS)} after epoch {round(seen.lowest[0], 1):g}"
    if seen.overfits:
        return f"Overfits: its held-out loss was lowest at {low} and is {end}, {percent(seen.rise)}."
    if seen.diverges:
        return f"Diverges: its held-out loss rose from {low} to {end}, and its training loss rose as well."
    if seen.lowest == seen.last:
        return f"No overfitting: its held-out loss is lowest at the end ({number(seen.last[1], LOSS_DECIMALS)})."
    return f"No overfitting to speak of: its held-out loss is {end}, {percent(seen.rise)} over its lowest ({low})."


def best_sentence(winner: Configuration, metric: str, ties: Sequence[str]) -> str:
    """Which configuration is the best, by how much over its base, and what it costs."""
    value, base = winner.mean(metric), winner.first.base.get(metric)
    assert value is not None
    shared = f", with {listing(ties)} as good," if ties else ""
    label = BY_SHORT[metric].label
    figure = f"{label} {metric_value(metric, value)}"
    if base is not None and (change := relative_change(base, value)) is not None:
        after, before = metric_pair(metric, value, base)
        figure = f"{label} {after} after {before} of the base model ({percent(change)})"
    seconds, memory = winner.resource("train_seconds"), winner.resource("peak_memory_bytes")
    costs = [f"in {duration(seconds)}"] if seconds is not None else []
    costs += [f"with {size(memory)}"] if memory is not None else []
    over = f", mean of {len(winner.runs)} seeds" if len(winner.runs) > 1 else ""
    return f"{winner.first.name}{shared} is the best configuration: {figure}{over}{''.join(f', {c}' for c in costs)}."


def lead_sentence(other: str, change: float | None, better: bool | None, interval: Interval | None) -> str:
    """How sure the best one's lead over another is."""
    if change is None:
        return f"Its lead over {other} is no share of anything: that has 0."
    if change == 0:
        return f"It equals {other}."
    if interval is None:
        return f"Its lead over {other} is {share(change)}; {ONE_SEED}."
    lost = better is None and not interval[0] <= 0 <= interval[1]
    certain = "outside noise" if better else "not certain among so many comparisons" if lost else WITHIN
    bounds = f"95 % interval of the change {percent(interval[0])} to {percent(interval[1])}"
    return f"Its lead over {other} ({share(change)}) is {certain}: {bounds}."


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
    head = f"{label} {setting_text(finding.to_value)} instead of {setting_text(finding.from_value)}: "
    tail = together(finding) + effective_batch(*batches) + beyond(finding, smallest) + aside(finding)
    return f"{head}{comparison(finding)}{costs(finding)}{spread(finding)}.{tail}"


def listing(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
