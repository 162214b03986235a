"""How sure a difference between two models is that answered the same rows: the paired bootstrap.

Rows are drawn with replacement, the same rows for both sides, and the relative change is computed anew each time; the
interval holds the middle 95 % of what came out. Every metric is a function of sums over rows, so a draw is a vector
of weights and thousands of draws are one matrix product. Koehn 2004, "Statistical significance tests for machine
translation evaluation".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]

RESAMPLES = 2000
SEED = 20_240_229
_ORDERS = 4  # n-gram orders of BLEU


@dataclass(frozen=True)
class Side:
    """One model's part in each metric, an entry a row; both sides list the same rows in the same order.

    `bleu` has ten columns: matching n-grams (1 to 4), n-grams in all (1 to 4), the answer's and reference's length.
    """

    nll: ArrayLike
    tokens: ArrayLike
    rouge_l: ArrayLike
    bleu: ArrayLike


def intervals(base: Side, tuned: Side, *, resamples: int = RESAMPLES, seed: int = SEED) -> dict[str, Interval | None]:
    """95 % intervals of (tuned - base) / base by metric; None where some draw of rows leaves it undefined."""
    rows = np.asarray(base.nll).shape[0]
    weights = np.random.default_rng(seed).multinomial(rows, np.full(rows, 1 / rows), size=resamples).astype(float)
    return {
        "perplexity": _interval(_perplexity(weights, base), _perplexity(weights, tuned)),
        "bleu": _interval(bleu(weights, base.bleu), bleu(weights, tuned.bleu)),
        "rouge_l": _interval(_mean(weights, base.rouge_l), _mean(weights, tuned.rouge_l)),
    }


def _interval(base: Floats, tuned: Floats) -> Interval | None:
    with np.errstate(divide="ignore", invalid="ignore"):
        change = (tuned - base) / base
    if not np.isfinite(change).all():
        return None
    low, high = np.percentile(change, [2.5, 97.5])
    return float(low), float(high)


def _perplexity(weights: Floats, side: Side) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        perplexity: Floats = np.exp((weights @ _floats(side.nll)) / (weights @ _floats(side.tokens)))
    return perplexity


def _mean(weights: Floats, values: ArrayLike) -> Floats:
    mean: Floats = weights @ _floats(values) / weights.sum(axis=1)
    return mean


def bleu(weights: Floats, parts: ArrayLike) -> Floats:
    """Corpus BLEU, 0 to 1, of each weighting of the rows: sacrebleu's, with its exponential smoothing."""
    sums = weights @ _floats(parts)
    matches, totals = sums[:, :_ORDERS], sums[:, _ORDERS : 2 * _ORDERS]
    answer, reference = sums[:, -2], sums[:, -1]
    # An order without a match counts as 1 / (2 ** k * total), k being how many such orders there were so far.
    none = matches == 0
    smoothed = np.where(none, 0.5 ** np.cumsum(none, axis=1), matches)
    empty = (matches.sum(axis=1) == 0) | (totals == 0).any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.exp(np.log(smoothed / totals).mean(axis=1))
        brevity = np.where(answer < reference, np.exp(1 - reference / answer), 1.0)
        score: Floats = np.where(empty, 0.0, precision * brevity)
    return score


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)
