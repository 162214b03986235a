"""Intervals of a paired comparison, computed from each row's part in the metrics."""

import numpy as np
import pytest
import sacrebleu

from app import paired

RNG = np.random.default_rng(0)
ROWS = 80


def side(shift: float = 0.0, noise: float = 0.0) -> paired.Side:
    draw = np.random.default_rng(1)
    tokens = draw.integers(5, 60, ROWS)
    nll = tokens * (3 + draw.normal(0, 0.4, ROWS) + shift)
    rouge = np.clip(draw.uniform(0.1, 0.5, ROWS) - shift / 5 + RNG.normal(0, noise, ROWS), 0, 1)
    total = draw.integers(8, 40, ROWS)
    bleu = [[t - 3, (t - 1) // 2, (t - 2) // 3, (t - 3) // 4, t, t - 1, t - 2, t - 3, t, t] for t in total]
    return paired.Side(nll=nll, tokens=tokens, rouge_l=rouge, bleu=bleu)


def test_equal_sides_differ_by_nothing() -> None:
    assert paired.intervals(side(), side()) == {"perplexity": (0, 0), "bleu": (0, 0), "rouge_l": (0, 0)}


def test_a_real_difference_excludes_zero_and_holds_the_change() -> None:
    base, tuned = side(), side(shift=-0.5)
    low, high = paired.intervals(base, tuned)["perplexity"] or (0, 0)
    change = np.exp(-0.5) - 1  # every token gained half a nat
    assert low <= change <= high < 0
    low, high = paired.intervals(base, tuned)["rouge_l"] or (0, 0)
    assert 0 < low < high


def test_noise_includes_zero() -> None:
    low, high = paired.intervals(side(), side(noise=0.2))["rouge_l"] or (1, 1)
    assert low < 0 < high


def test_pairing_sees_what_two_unpaired_intervals_would_not() -> None:
    """Rows differ far more from each other than the two sides differ on a row."""
    base, tuned = side(), side(shift=-0.02)
    low, high = paired.intervals(base, tuned)["perplexity"] or (0, 0)
    assert high < 0
    assert high - low < 0.001


def test_the_same_rows_give_the_same_interval_and_another_seed_another() -> None:
    base, tuned = side(), side(noise=0.1)
    assert paired.intervals(base, tuned) == paired.intervals(base, tuned)
    assert paired.intervals(base, tuned, seed=1) != paired.intervals(base, tuned)


def test_more_rows_make_a_narrower_interval() -> None:
    def width(count: int) -> float:
        draw = np.random.default_rng(5)
        base, tuned = draw.uniform(0.2, 0.6, count), draw.uniform(0.2, 0.6, count)
        ones = np.ones(count)
        found = paired.intervals(
            paired.Side(ones, ones, base, [[1] * 10] * count), paired.Side(ones, ones, tuned, [[1] * 10] * count)
        )["rouge_l"] or (0, 0)
        return found[1] - found[0]

    assert width(400) < width(100) < width(25)


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
    assert paired.bleu(np.ones((1, 1)), [parts])[0] == pytest.approx(expected, abs=1e-12)


def test_a_base_that_scores_zero_has_no_relative_interval() -> None:
    ones, zeros = np.ones(4), np.zeros(4)
    nothing = paired.Side(ones, ones, zeros, [[0] * 8 + [5, 5]] * 4)
    found = paired.intervals(nothing, side_of_four())
    assert found["bleu"] is None
    assert found["rouge_l"] is None
    assert found["perplexity"] is not None


def side_of_four() -> paired.Side:
    return paired.Side(np.ones(4), np.ones(4), np.ones(4), [[5, 4, 3, 2, 5, 4, 3, 2, 5, 5]] * 4)
