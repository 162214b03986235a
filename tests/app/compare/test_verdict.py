"""The sentences of a comparison: what is best, whether that is real, and how the others stand."""

import random
from collections.abc import Mapping

import pytest

from app.compare.names import listed, names, several
from app.compare.results import Delta, MetricRow
from app.compare.verdict import verdict
from app.metrics import COMPARED, is_better, relative_change
from app.models import Run
from app.statistics.significance import Difference

NOISE = 0.3  # a difference smaller than this is within noise, of any metric, times its size below
SIZES = {"perplexity": 1.0, "bleu": 0.02, "rouge_l": 0.02}
Scores = tuple[float | None, float | None, float | None]


def runs(*called: str) -> list[Run]:
    return [Run(id=number, name=name, experiment_id=1, config={}) for number, name in enumerate(called, 1)]


def between(short: str, before: float, after: float) -> Difference:
    half = NOISE * SIZES[short]
    return Difference((after - before - half, after - before + half), None, 0.5)


def rows(scores: list[Scores], *, spread: bool = True) -> list[MetricRow]:
    found = []
    for place, metric in enumerate(COMPARED):
        values = {i: value for i, score in enumerate(scores, 1) if (value := score[place]) is not None}
        start = values.get(1)
        deltas: dict[int, Delta] = {}
        for run_id, value in values.items():
            if start is None or run_id == 1:
                continue
            interval = between(metric.short, start, value).absolute if spread else None
            noise = value == start or (interval is not None and interval[0] <= 0 <= interval[1])
            better = None if noise else is_better(metric, value, start)
            deltas[run_id] = Delta(value - start, relative_change(start, value), interval, better=better)
        alike = [1, *deltas] if deltas else []
        best = frozenset(i for i in alike if not any(is_better(metric, values[o], values[i]) for o in alike))
        found.append(MetricRow(metric, values, deltas, best, None))
    return found


def said(scores: list[Scores], *called: str, spread: bool = True) -> str:
    table = rows(scores, spread=spread)

    def lead(rival: int, winner: int) -> Mapping[str, Difference]:
        both = [row for row in table if {rival, winner} <= row.values.keys()]
        return {r.metric.short: between(r.metric.short, r.values[rival], r.values[winner]) for r in both if spread}

    return " ".join(piece.text for piece in verdict(runs(*called), table, lead))


BASELINE: Scores = (20.0, 0.40, 0.50)


def test_the_best_its_lead_and_who_is_worse() -> None:
    scores: list[Scores] = [BASELINE, (22.0, 0.3, 0.4), (23.0, 0.3, 0.4), (24.0, 0.3, 0.4), (18.0, 0.45, 0.55)]
    text = said([*scores, (18.1, 0.449, 0.549)], "Base", "Exp 1", "Exp 2", "Exp 3", "Exp 4", "Exp 5")
    assert text == (
        "Exp 4 is best on all three metrics. Its lead over Base is outside noise; its lead over Exp 5 is within noise. "
        "Exp 1 to 3 are worse than Base on every metric."
    )


def test_a_baseline_that_nothing_beats() -> None:
    text = said([BASELINE, (22.0, 0.3, 0.4)], "Base", "A")
    assert text == "No run beats Base: it is best on all three metrics. Its lead over A is outside noise."


def test_metrics_that_disagree_are_said_apart() -> None:
    text = said([BASELINE, (18.0, 0.45, 0.40), (21.0, 0.35, 0.60)], "Base", "A", "B")
    assert text == (
        "A is best on perplexity and BLEU, B on ROUGE-L. The lead of A over Base is outside noise. "
        "B is better than Base on one metric and worse on another."
    )


def test_a_lead_in_some_metrics_says_in_which() -> None:
    text = said([BASELINE, (18.0, 0.401, 0.501)], "Base", "A")
    assert text == "A is best on all three metrics. Its lead over Base is outside noise on perplexity only."


def test_without_a_spread_nothing_is_sure() -> None:
    text = said([BASELINE, (18.0, 0.45, 0.55)], "Base", "A", spread=False)
    assert text == "A is best on all three metrics. How sure its lead is cannot be told: the spread is unknown."


def test_two_that_are_level_are_both_best() -> None:
    text = said([BASELINE, (18.0, 0.45, 0.55), (18.0, 0.45, 0.55)], "Base", "A", "B")
    assert text.startswith("A and B are equally good and best on all three metrics.")


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        ([(None, None, None), (None, None, None)], "None of these runs has a result yet."),
        ([(None, None, None), BASELINE], "Base has no result to set the others against: choose another baseline."),
        ([BASELINE, (None, None, None)], "Only Base has a result yet."),
    ],
)
def test_what_cannot_be_compared_yet_says_why(scores: list[Scores], text: str) -> None:
    assert said(scores, "Base", "A") == text


def test_a_part_about_two_runs_leads_to_them() -> None:
    table = rows([BASELINE, (18.0, 0.45, 0.55), (18.9, 0.44, 0.54)])
    pieces = verdict(runs("Base", "A", "B"), table, lambda *_: {})
    assert [piece.pair for piece in pieces if piece.pair] == [(1, 2), (3, 2)]


def test_any_results_make_sentences() -> None:
    chance = random.Random(5)
    for _ in range(300):
        count = chance.randint(2, 9)
        scores: list[Scores] = [
            tuple(None if chance.random() < 0.2 else round(chance.uniform(0.1, 30), 1) for _ in range(3))  # type: ignore[misc]
            for _ in range(count)
        ]
        text = said(scores, *(f"Exp {n}" for n in range(count)), spread=chance.random() < 0.7)
        assert text.endswith(".")
        assert "  " not in text
        assert "None of" in text or "None" not in text


def test_names_that_are_long_or_alike_can_still_be_told_apart() -> None:
    called = names(runs("a", "a", "b" * 50, "b" * 51))
    assert called == {1: "a (#1)", 2: "a (#2)", 3: "b" * 39 + "… (#3)", 4: "b" * 39 + "… (#4)"}


def test_many_names_become_a_number_or_a_span() -> None:
    called = {n: f"Exp {n}" for n in range(1, 9)} | {20: "x", 21: "y"}
    assert several([1], called) == "Exp 1"
    assert several([1, 2], called) == "Exp 1 and Exp 2"
    assert several([3, 1, 2], called) == "Exp 1 to 3"
    assert several([1, 2, 4], called) == "Exp 1, Exp 2 and Exp 4"
    assert several([1, 2, 4, 5, 20], called) == "5 runs"
    assert listed(["a", "b", "c"]) == "a, b and c"
