"""The ledger as a Markdown table: what was promised, how often it was tried, and how it went."""

from collections.abc import Iterable, Sequence

from tests.chaos.ledger import Entry
from tests.chaos.trial import Promise

HEAD = "| promise | trials | of | violations | bound at 95 % | slowest recovery |\n|---|--:|--:|--:|--:|--:|"


def table(promises: Sequence[Promise], entries: Iterable[Entry]) -> str:
    """A trial made again with the same seed replaces the one before it."""
    entries = list(entries)
    return "\n".join(
        [HEAD, *(_row(promise, [e for e in entries if e.promise == promise.name]) for promise in promises)]
    )


def _row(promise: Promise, entries: list[Entry]) -> str:
    trials = list({entry.seed: entry for entry in entries if not entry.mistake}.values())
    broken = sum(bool(entry.violations) for entry in trials)
    promised = f"`{promise.name}` {promise.sentence}"
    cells = (promised, _number(len(trials)), _number(promise.full), str(broken), _bound(len(trials), broken))
    return f"| {' | '.join(cells)} | {_slowest(trials)} |"


def _number(value: int) -> str:
    return f"{value:,}"


def _bound(trials: int, broken: int) -> str:
    """The rule of three: what never happened in N trials happens in at most 3/N of them, at 95 %."""
    if broken:
        return f"seen in {broken / trials:.1%}"
    return f"{min(1.0, 3 / trials):.2%}" if trials else "untried"


def _slowest(trials: Sequence[Entry]) -> str:
    measured = [entry.recovery for entry in trials if entry.recovery is not None]
    return f"{max(measured):.1f} s" if measured else ""


def mended(promises: Sequence[Promise], entries: Sequence[Entry]) -> list[str]:
    """Seeds that once broke a promise and held when they were tried again, and mistakes of the harness."""
    lines = []
    for promise in promises:
        mine = [entry for entry in entries if entry.promise == promise.name]
        last = {entry.seed: entry for entry in mine if not entry.mistake}
        once = sorted({entry.seed for entry in mine if entry.violations and not last[entry.seed].violations})
        if once:
            lines.append(f"{promise.name}: seeds {once} broke it once and held when they were tried again")
        if failed := [entry.seed for entry in mine if entry.mistake]:
            lines.append(f"{promise.name}: the harness itself failed with seeds {failed}; these are not counted")
    return lines
