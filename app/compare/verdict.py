"""What a comparison says, in a few sentences: what is best, whether its lead is real, and what is worse."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.compare.names import listed, names, several
from app.compare.results import MetricRow
from app.metrics import Metric, is_better
from app.models import Run
from app.statistics.significance import Difference
from app.study.findings import verdict as judged

# A longer name is not said over and over.
LONGEST_AGAIN = 24

UNSURE = "not sure, as its spread is unknown"

# By metric, of the second run less the first; empty where the spread is not known.
Lead = Callable[[int, int], Mapping[str, Difference]]


# In words, of one run and of several, and for which verdicts on the metrics.
STANDINGS: tuple[tuple[tuple[str, str], Callable[[Sequence[bool | None]], bool]], ...] = (
    (
        ("beats {} on some metric and is worse on none", "beat {} on some metric and are worse on none"),
        lambda found: True in found and False not in found,
    ),
    (
        (
            "is better than {} on one metric and worse on another",
            "are better than {} on one metric and worse on another",
        ),
        lambda found: True in found and False in found,
    ),
    (
        ("is worse than {} on every metric", "are worse than {} on every metric"),
        lambda found: all(better is False for better in found),
    ),
    (
        ("is not told from {} on any metric", "are not told from {} on any metric"),
        lambda found: all(better is None for better in found),
    ),
)


@dataclass(frozen=True)
class Piece:
    """A sentence, or a part of one that speaks of two runs: the second set against the first."""

    text: str
    pair: tuple[int, int] | None = None


def verdict(runs: Sequence[Run], rows: Sequence[MetricRow], lead: Lead) -> list[Piece]:
    """Pieces that make up the text when put together with spaces; the first run is the baseline."""
    said = _Said(runs, rows, lead)
    known = [row for row in rows if row.best]
    if not known:
        return [Piece(_nothing(runs, rows, said.called))]
    leads = said.leads(known)
    told = [run_id for piece in leads for run_id in piece.pair or ()]
    return [Piece(said.best(known)), *leads, *map(Piece, said.rest(told))]


def _nothing(runs: Sequence[Run], rows: Sequence[MetricRow], called: Mapping[int, str]) -> str:
    baseline = runs[0].id or 0
    measured = {run_id for row in rows for run_id in row.values}
    if not measured:
        return "None of these runs has a result yet."
    if baseline not in measured:
        return f"{called[baseline]} has no result to set the others against: choose another baseline."
    if len(measured) == 1:
        return f"Only {called[baseline]} has a result yet."
    return f"No other run was asked the same as {called[baseline]}: no difference between them would mean anything."


class _Said:
    """The runs by name, and what is known of them."""

    def __init__(self, runs: Sequence[Run], rows: Sequence[MetricRow], lead: Lead) -> None:
        self.baseline = runs[0].id or 0
        self.called = names(runs)
        self.rows = rows
        self.lead = lead

    def best(self, known: Sequence[MetricRow]) -> str:
        """`Exp 6 is best on all three metrics.`"""
        winners = _by_winner(known)
        if len(winners) == 1:
            ids, metrics = winners[0]
            if ids == (self.baseline,):
                return f"No run beats {self.called[self.baseline]}: it is best {_on(metrics, known)}."
            return f"{several(ids, self.called)} {_are(ids)} {_on(metrics, known)}."
        parts = [
            f"{several(ids, self.called)}{f' {_are(ids)}' if place == 0 else ''} on {listed(_labels(metrics))}"
            for place, (ids, metrics) in enumerate(winners)
        ]
        return f"{', '.join(parts)}."

    def leads(self, known: Sequence[MetricRow]) -> list[Piece]:
        """How sure the best's distance is to the baseline and to the next best."""
        row = known[0]
        winner = min(row.best, key=list(self.called).index)
        its = [other for other in known if winner in other.best]
        second = self._second(row, winner)
        rivals = list(dict.fromkeys(r for r in (self.baseline, second) if r not in (None, winner)))
        found = [(rival, self._lead(winner, rival, its)) for rival in rivals if rival is not None]
        if not found:
            return []
        if all(state is None for _, state in found):
            return [Piece("How sure its lead is cannot be told: the spread is unknown.", (found[0][0], winner))]
        whose = f"The lead of {self.called[winner]}" if len(_by_winner(known)) > 1 else "Its lead"
        return [*_told(whose, [(self.called[rival], (rival, winner), state) for rival, state in found])]

    def rest(self, told: Sequence[int]) -> Iterable[str]:
        """How the others stand to the baseline; `told` are those of whom that was said already."""
        verdicts = {
            run_id: [row.deltas[run_id].better for row in self.rows if run_id in row.deltas]
            for run_id in self.called
            if run_id not in told
        }
        name = self.called[self.baseline]
        baseline = name if len(name) <= LONGEST_AGAIN else "the baseline"
        for words, holds in STANDINGS:
            ids = [run_id for run_id, found in verdicts.items() if found and holds(found)]
            if ids:
                one, many = words
                yield f"{several(ids, self.called)} {(one if len(ids) == 1 else many).format(baseline)}."

    def _second(self, row: MetricRow, winner: int) -> int | None:
        """The next best of those that compare with the baseline."""
        found: int | None = None
        for run_id in (self.baseline, *row.deltas):
            if run_id != winner and (found is None or is_better(row.metric, row.values[run_id], row.values[found])):
                found = run_id
        return found

    def _lead(self, winner: int, rival: int, rows: Sequence[MetricRow]) -> str | None:
        """`outside noise`, where all that the winner is best in says so; None where the spread is not known."""
        real: list[Metric] = []
        both = [row for row in rows if rival == self.baseline or rival in row.deltas]
        for row in both:
            better = self._is_ahead(winner, rival, row)
            if better is None:
                return None
            if better:
                real.append(row.metric)
        if not real:
            return "within noise"
        return "outside noise" if len(real) == len(both) else f"outside noise on {listed(_labels(real))} only"

    def _is_ahead(self, winner: int, rival: int, row: MetricRow) -> bool | None:
        """Of the baseline after correction, as the table has it; of another rival this one comparison alone."""
        if rival == self.baseline:
            delta = row.deltas[winner]
            return bool(delta.better) if delta.interval else None
        found = self.lead(rival, winner).get(row.metric.short)
        ends = row.values[rival], row.values[winner]
        return bool(judged(row.metric.short, *ends, found.absolute)) if found else None


def _told(whose: str, leads: Sequence[tuple[str, tuple[int, int], str | None]]) -> Iterable[Piece]:
    """One lead or two, each beside its runs; two that are alike share their words."""
    (first, pair, state), *more = leads
    start = f"{whose} over {first} is {state or UNSURE}"
    if not more:
        yield Piece(f"{start}.", pair)
        return
    second, other_pair, other = more[0]
    yield Piece(f"{start}{',' if other == state else ';'}", pair)
    its = f"as is its lead over {second}" if other == state else f"its lead over {second} is {other or UNSURE}"
    yield Piece(f"{its}.", other_pair)


def _by_winner(rows: Sequence[MetricRow]) -> list[tuple[tuple[int, ...], list[Metric]]]:
    """Who is best in which metrics."""
    found: dict[tuple[int, ...], list[Metric]] = {}
    for row in rows:
        found.setdefault(tuple(sorted(row.best)), []).append(row.metric)
    return list(found.items())


def _are(ids: Sequence[int]) -> str:
    return "is best" if len(ids) == 1 else "are equally good and best"


def _verb(ids: Sequence[int]) -> str:
    return "is" if len(ids) == 1 else "are"


def _on(metrics: Sequence[Metric], known: Sequence[MetricRow]) -> str:
    words = {3: "on all three metrics", 2: f"on both {listed(_labels(metrics))}"}
    return words.get(len(known), f"on {listed(_labels(metrics))}")


def _labels(metrics: Sequence[Metric]) -> list[str]:
    return [
        metric.label if metric.label.isupper() or "-" in metric.label else metric.label.lower() for metric in metrics
    ]
