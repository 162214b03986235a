"""How sure a difference between models is that answered the same rows: the paired bootstrap.

The rows are the sample: rows are drawn with replacement, the same ones for all models, and each metric is computed
anew. Every metric is a function of sums over rows, so a draw is a vector of weights and thousands of draws are one
matrix product (BLEU too: its n-gram counts are resampled, as sacrebleu does it). The interval holds the middle 95 %
of what came out. Koehn 2004, "Statistical significance tests for machine translation evaluation".

The draws depend on nothing but the number of rows: a model's metrics over them are computed once, for every
comparison that it is in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.statistics.significance import LEVEL, Difference, Interval

Floats = NDArray[np.float64]

# So many that Holm's correction can still find one of 250 comparisons to be real (the smallest p-value is 2 in
# 10,000), and one less than a round number, so that the ends of the interval are draws and agree with the p-value.
RESAMPLES = 9_999
SEED = 20_240_229
# What is summed is rounded to parts of this. Sums of such numbers are exact, so that models alike come out alike in
# whatever order a processor adds, alone or with others at a time.
GRID = 2.0**24
CELLS = 500_000  # of weights that are worked on at once
ORDERS = 4  # n-gram orders of BLEU


@dataclass(frozen=True)
class Side:
    """One model's part in each metric, an entry a row; NaN where it is not known.

    `bleu` has ten columns: matching n-grams (1 to 4), n-grams in all (1 to 4), the answer's and reference's length.
    """

    nll: ArrayLike
    tokens: ArrayLike
    rouge_l: ArrayLike
    bleu: ArrayLike

    def table(self) -> Floats:
        """A row a row, thirteen columns, of numbers whose sums are exact: see GRID."""
        table: Floats = np.column_stack([np.asarray(part, dtype=np.float64) for part in vars(self).values()])
        return np.rint(table * GRID) / GRID


@dataclass(frozen=True)
class Sample:
    """A metric's value, and its value over each draw of the rows."""

    value: float
    draws: Floats


def samples(table: Floats) -> dict[str, Sample]:
    """By metric, of one model (Side.table); a metric that some row does not know is missing."""
    return samples_of_several([table])[0]


def samples_of_several(tables: Sequence[Floats]) -> list[dict[str, Sample]]:
    """The same of models that answered the same rows: one matrix product for all takes a fraction of the time."""
    drawn = np.hsplit(_drawn_sums(np.hstack(tables)), len(tables))
    return [_samples(table, sums) for table, sums in zip(tables, drawn, strict=True)]


def _samples(table: Floats, sums: Floats) -> dict[str, Sample]:
    whole, drawn = (_metrics(part, len(table)) for part in (table.sum(axis=0, keepdims=True), sums))
    return {name: Sample(float(whole[name][0]), drawn[name]) for name in whole if np.isfinite(drawn[name]).all()}


def differences(before: Side, after: Side) -> dict[str, Difference]:
    """By metric, between two models; a metric that either does not know is missing."""
    ours, theirs = samples(before.table()), samples(after.table())
    return {name: difference([ours[name]], [theirs[name]]) for name in ours if name in theirs}


def difference(before: Sequence[Sample], after: Sequence[Sample]) -> Difference:
    """Between the means of two sets of runs, each of which differ by their seed; all over the same rows."""
    change, start = _change(before, after), _mean(before)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = change / start
    relative = _middle(share) if (start > 0).all() else None
    return Difference(_middle(change), relative, _p_value(change))


def _change(before: Sequence[Sample], after: Sequence[Sample]) -> Floats:
    """What other rows would have made of the difference; with two seeds on a side, what other seeds would have too.

    Whichever is wider: by luck two seeds may hardly differ, but that makes no rows out of few.
    """
    rows_alone = _mean(after) - _mean(before)
    if len(before) + len(after) == 2:
        return rows_alone
    return max(rows_alone, _with_seeds(before, after, rows_alone), key=_width)


def _with_seeds(before: Sequence[Sample], after: Sequence[Sample], rows_alone: Floats) -> Floats:
    """Student's t over seeds, and of the draws of rows what all seeds share.

    Two seeds that are equally good still differ on the rows at hand, some liking one and some the other. The distance
    between runs has that in it, so it is taken out of the draws: what each run moves by itself from draw to draw.
    """
    freedom, share = len(before) + len(after) - 2, 1 / len(before) + 1 / len(after)
    between = (_scatter(_values(before)) + _scatter(_values(after))) / freedom
    own = (_scatter(_moves(before)) + _scatter(_moves(after))) / freedom
    total = rows_alone.var()
    shared = max(0.0, 1 - share * own / total) if total else 0.0
    middle = _values(after).mean() - _values(before).mean()
    seeds = np.sqrt(share * between) * _student(freedom)
    change: Floats = middle + np.sqrt(shared) * (rows_alone - rows_alone.mean()) + seeds
    return change


def _values(runs: Sequence[Sample]) -> Floats:
    return np.array([[run.value] for run in runs])


def _moves(runs: Sequence[Sample]) -> Floats:
    return np.array([run.draws - run.draws.mean() for run in runs])


def _scatter(runs: Floats) -> float:
    """Sum of squares between runs (lines), mean over draws (columns)."""
    return float(((runs - runs.mean(axis=0)) ** 2).sum(axis=0).mean())


def _width(values: Floats) -> float:
    low, high = _middle(values)
    return high - low


def _mean(runs: Sequence[Sample]) -> Floats:
    mean: Floats = np.mean([run.draws for run in runs], axis=0)
    return mean


def _middle(values: Floats) -> Interval:
    """The middle 95 %, from the 250th draw to the 250th from the end."""
    cut = round((len(values) + 1) * LEVEL / 2)
    ordered = np.partition(values, (cut - 1, len(values) - cut))
    return float(ordered[cut - 1]), float(ordered[len(values) - cut])


def _p_value(change: Floats) -> float:
    """Twice the share of draws on the other side of zero: above LEVEL exactly where the middle 95 % hold zero."""
    beyond = min(np.count_nonzero(change <= 0), np.count_nonzero(change >= 0))
    return min(1.0, 2 * (int(beyond) + 1) / (len(change) + 1))


@lru_cache(maxsize=16)
def _student(freedom: int) -> Floats:
    return np.random.default_rng([SEED, freedom]).standard_t(freedom, RESAMPLES)


def _drawn_sums(table: Floats) -> Floats:
    """What the rows add up to in each draw; the columns may be those of several models."""
    rows = len(table)
    size = max(1, CELLS // rows)
    blocks = [_weights(rows, first, min(size, RESAMPLES - first)) for first in range(0, RESAMPLES, size)]
    with np.errstate(invalid="ignore"):  # what a row does not know is NaN
        return np.concatenate([weights.astype(np.float64) @ table for weights in blocks])


@lru_cache(maxsize=16)
def _weights(rows: int, first: int, count: int) -> NDArray[np.uint8]:
    """How often each row is in each of `count` draws; a small number, so a byte does."""
    chosen = np.random.default_rng([SEED, rows, first]).integers(rows, size=(count, rows))
    places = (chosen + np.arange(count)[:, None] * rows).ravel()
    return np.bincount(places, minlength=count * rows).reshape(count, rows).astype(np.uint8)


def _metrics(sums: Floats, rows: int) -> dict[str, Floats]:
    nll, tokens, rouge_l = sums[:, 0], sums[:, 1], sums[:, 2]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        perplexity = np.exp(nll / tokens)
    return {"perplexity": perplexity, "bleu": bleu(sums[:, 3:]), "rouge_l": rouge_l / rows}


def bleu(sums: ArrayLike) -> Floats:
    """Corpus BLEU, 0 to 1, of each line of summed parts: sacrebleu's, with its exponential smoothing."""
    sums = np.asarray(sums, dtype=np.float64)
    matches, totals = sums[:, :ORDERS], sums[:, ORDERS : 2 * ORDERS]
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
