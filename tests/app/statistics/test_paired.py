"""The paired bootstrap against implementations of others, and what it promises of seeds."""

import math
from typing import Any

import numpy as np
import pytest
import sacrebleu
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest
from scipy import stats

from app.statistics import paired
from app.statistics.paired import Floats, Sample
from app.statistics.significance import Difference
from worker.finetune import scoring

ROWS = 80
WORDS = ["the", "heart", "rate", "of", "a", "patient", "rises", "when", "fever", "pain", "or", "fear", "is", "present"]


def side(shift: float = 0.0, noise: float = 0.0) -> paired.Side:
    draw, other = np.random.default_rng(1), np.random.default_rng(2)
    tokens = draw.integers(5, 60, ROWS)
    nll = tokens * (3 + draw.normal(0, 0.4, ROWS) + shift)
    rouge = np.clip(draw.uniform(0.1, 0.5, ROWS) - shift / 5 + other.normal(0, noise, ROWS), 0, 1)
    total = draw.integers(8, 40, ROWS)
    bleu = [[t - 3, (t - 1) // 2, (t - 2) // 3, (t - 3) // 4, t, t - 1, t - 2, t - 3, t, t] for t in total]
    return paired.Side(nll=nll, tokens=tokens, rouge_l=rouge, bleu=bleu)


def scores(values: Any) -> paired.Side:
    """Rows that differ in ROUGE-L alone."""
    ones = np.ones(len(values))
    return paired.Side(ones, ones, values, [[1.0] * 10] * len(values))


def test_equal_sides_differ_by_nothing() -> None:
    same = Difference((0, 0), (0, 0), 1)
    assert paired.differences(side(), side()) == {"perplexity": same, "bleu": same, "rouge_l": same}


def test_a_real_difference_excludes_zero_and_holds_the_change() -> None:
    found = paired.differences(side(), side(shift=-0.5))
    low, high = found["perplexity"].relative or (0, 0)
    change = np.exp(-0.5) - 1  # every token gained half a nat
    assert low <= change <= high < 0
    assert found["rouge_l"].absolute[0] > 0
    assert found["rouge_l"].p_value == 2 / (paired.RESAMPLES + 1)  # the smallest that can be said


def test_noise_includes_zero() -> None:
    found = paired.differences(side(), side(noise=0.2))["rouge_l"]
    assert found.absolute[0] < 0 < found.absolute[1]
    assert found.p_value > 0.05


def test_pairing_sees_what_two_unpaired_intervals_would_not() -> None:
    """Rows differ far more from each other than the two sides differ on a row."""
    low, high = paired.differences(side(), side(shift=-0.02))["perplexity"].relative or (0, 0)
    assert high < 0
    assert high - low < 0.001


def test_more_rows_make_a_narrower_interval() -> None:
    def width(count: int) -> float:
        draw = np.random.default_rng(5)
        before, after = draw.uniform(0.2, 0.6, count), draw.uniform(0.2, 0.6, count)
        low, high = paired.differences(scores(before), scores(after))["rouge_l"].absolute
        return high - low

    assert width(400) < width(100) < width(25)


def test_the_interval_holds_zero_exactly_where_the_p_value_is_above_the_level() -> None:
    draw = np.random.default_rng(6)
    seen = set()
    for shift in np.linspace(0.02, 0.04, 60):
        found = paired.differences(scores(draw.uniform(0, 1, 100)), scores(draw.uniform(0, 1, 100) + shift))["rouge_l"]
        zero_inside = found.absolute[0] <= 0 <= found.absolute[1]
        relative_low, relative_high = found.relative or (0, 0)
        assert (found.p_value > 0.05) == zero_inside == (relative_low <= 0 <= relative_high)
        seen.add(zero_inside)
    assert seen == {True, False}


@pytest.mark.parametrize(
    "parts",
    [
        [20, 10, 5, 2, 25, 24, 23, 22, 25, 20],  # longer than the reference
        [20, 10, 5, 2, 25, 24, 23, 22, 25, 40],  # shorter
        [20, 10, 0, 0, 25, 24, 23, 22, 25, 25],  # orders without a match are smoothed
        [0, 0, 0, 0, 25, 24, 23, 22, 25, 25],
        [2, 1, 0, 0, 2, 1, 0, 0, 2, 2],  # too short for four words in a row
    ],
)
def test_bleu_from_parts_is_sacrebleus(parts: list[int]) -> None:
    expected = sacrebleu.BLEU.compute_bleu(parts[:4], parts[4:8], parts[8], parts[9], smooth_method="exp").score / 100
    assert paired.bleu([parts])[0] == pytest.approx(expected, abs=1e-12)


def test_a_base_that_scores_zero_has_no_relative_interval() -> None:
    nothing = paired.Side(np.ones(12), np.ones(12), np.zeros(12), [[0] * 8 + [5, 5]] * 12)
    something = paired.Side(np.ones(12), np.ones(12), np.ones(12), [[5, 4, 3, 2, 5, 4, 3, 2, 5, 5]] * 12)
    found = paired.differences(nothing, something)
    assert [found[name].relative for name in ("perplexity", "bleu", "rouge_l")] == [(0, 0), None, None]
    assert found["bleu"].absolute == (1, 1)


def test_a_metric_that_a_row_does_not_know_is_missing() -> None:
    nll = np.ones(ROWS)
    nll[3] = np.nan
    broken = paired.Side(nll, np.ones(ROWS), np.ones(ROWS), side().bleu)
    assert paired.differences(side(), broken).keys() == {"bleu", "rouge_l"}


def test_rouge_l_agrees_with_scipys_paired_bootstrap() -> None:
    draw = np.random.default_rng(7)
    before = draw.beta(2, 3, 250)
    after = np.clip(before + draw.normal(0.01, 0.1, 250), 0, 1)
    found = paired.differences(scores(before), scores(after))["rouge_l"]
    expected = stats.bootstrap(
        (before, after),
        lambda a, b, axis: b.mean(axis=axis) - a.mean(axis=axis),
        paired=True,
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found.absolute == pytest.approx((expected.low, expected.high), abs=0.03 * (expected.high - expected.low))
    assert found.p_value == pytest.approx(stats.ttest_rel(after, before).pvalue, abs=0.02)


def sentences(seed: int, kept: float) -> tuple[list[str], list[str]]:
    """Answers that keep a share of their references' words, and the references, which are the same for all."""
    shared, own = np.random.default_rng(3), np.random.default_rng(seed)
    references = [" ".join(shared.choice(WORDS, size=shared.integers(6, 25))) for _ in range(120)]
    answers = [" ".join(w if own.random() < kept else own.choice(WORDS) for w in r.split()) for r in references]
    return answers, references


def bleu_side(answers: list[str], references: list[str]) -> paired.Side:
    ones = np.ones(len(answers))
    return paired.Side(ones, ones, ones, scoring.bleu_rows(answers, references))


@pytest.mark.parametrize("kept", [0.70, 0.73, 0.80])
def test_bleu_agrees_with_sacrebleus_paired_bootstrap(kept: float) -> None:
    (before, references), (after, _) = sentences(1, 0.7), sentences(2, kept)
    test = PairedTest(
        [("before", before), ("after", after)], {"BLEU": BLEU()}, [references], test_type="bs", n_samples=4000
    )
    _, theirs = test()
    ours = [paired.samples(bleu_side(answers, references).table())["bleu"] for answers in (before, after)]
    for mine, other in zip(ours, theirs["BLEU"], strict=True):
        assert mine.value == pytest.approx(other.score / 100, abs=1e-9)
        assert mine.draws.mean() == pytest.approx(other.mean / 100, abs=0.002)
        low, high = np.percentile(mine.draws, [2.5, 97.5])
        assert (high - low) / 2 == pytest.approx(other.ci / 100, rel=0.05)
    # Its p-value is one-sided on the size of the difference, centred: near ours, and not the same test.
    change = ours[1].draws - ours[0].draws
    centred = np.abs(change) - np.abs(change).mean()
    expected = (np.count_nonzero(centred > abs(ours[1].value - ours[0].value)) + 1) / (len(change) + 1)
    assert theirs["BLEU"][1].p_value == pytest.approx(expected, abs=0.02)


def sample(value: float, moves: Floats) -> Sample:
    return Sample(value, value + moves)


def test_seeds_that_differ_widen_the_interval() -> None:
    moves = np.random.default_rng(1).normal(0, 0.1, paired.RESAMPLES)
    alike = [sample(value, moves) for value in (20.0, 20.0, 20.0)]
    apart = [sample(value, moves) for value in (19.0, 20.0, 21.0)]
    narrow, wide = paired.difference(alike, alike), paired.difference(apart, apart)
    assert narrow.absolute == (0, 0)
    # Two means of three, of a standard deviation of 1, with the four degrees of freedom of a t-test.
    expected = stats.t(4).ppf(0.975) * np.sqrt(2 / 3)
    assert wide.absolute == pytest.approx((-expected, expected), rel=0.1)


def test_one_run_is_given_the_seed_noise_that_the_other_side_shows() -> None:
    still = np.zeros(paired.RESAMPLES)
    three, one = [sample(value, still) for value in (19.0, 20.0, 21.0)], [sample(20.0, still)]
    low, high = paired.difference(three, one).absolute
    expected = stats.t(2).ppf(0.975) * np.sqrt(1 / 3 + 1)
    assert (low, high) == pytest.approx((-expected, expected), rel=0.1)


def test_what_rows_explain_is_not_counted_as_seed_noise_too() -> None:
    """Seeds that are equally good and differ only by which rows they happen to get right."""
    draw = np.random.default_rng(4)
    runs = [paired.samples(scores(draw.normal(0.5, 0.2, 250)).table())["rouge_l"] for _ in range(12)]
    before, after = runs[:6], runs[6:]
    low, high = paired.difference(before, after).absolute
    assert (high - low) / 2 == pytest.approx(1.96 * 0.2 * np.sqrt(2 / 6 / 250), rel=0.25)


@pytest.mark.parametrize(("beyond", "holds_zero"), [(249, False), (250, True)])
def test_the_interval_ends_at_the_250th_draw_from_either_side(beyond: int, holds_zero: bool) -> None:
    change = np.arange(paired.RESAMPLES) - beyond + 1.0  # so many draws are at zero or below
    found = paired.difference([Sample(1.0, np.ones(len(change)))], [Sample(1.0, 1.0 + change)])
    assert found.absolute == (250 - beyond, paired.RESAMPLES - 249 - beyond)
    assert (found.absolute[0] <= 0) == holds_zero == (found.p_value > 0.05)


def test_the_same_rows_are_drawn_in_every_process() -> None:
    before = paired.differences(side(), side(noise=0.2))
    paired._weights.cache_clear()
    assert paired.differences(side(), side(noise=0.2)) == before


def test_what_is_summed_over_rows_is_exact_whoever_adds_it() -> None:
    table = side(noise=0.3).table()
    weights = paired._weights(len(table), 0, 3)
    for draw, sums in zip(weights, paired._drawn_sums(table)[:3], strict=True):
        exact = [math.fsum(np.repeat(column, draw)) for column in table.T]
        assert sums.tolist() == exact
