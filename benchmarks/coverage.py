"""Whether intervals hold the truth as often as they say: `python -m benchmarks.coverage [PAIRS]` prints a table.

Two models answer rows of a population that is known in full, so that the true difference of each metric is known too.
PAIRS times (1,000 unless told) rows are drawn, the two are compared on them, and it is counted how often the 95 %
interval holds the true difference; "told apart" is how often zero lies outside. Two models that are equally good must
be told apart in 5 % of the cases. With seeds, every run of a model is a little better or worse than the model itself.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from app.statistics import paired
from app.statistics.paired import Floats, Sample
from app.statistics.significance import Difference

Counts = NDArray[np.int64]

POPULATION = 100_000
RUN_SPREAD = 0.02  # of the perplexity's logarithm, between runs that differ by their seed alone


@dataclass(frozen=True)
class Population:
    """All rows there are, as two models answer them: a paired.Side's table each."""

    before: Floats
    after: Floats

    @property
    def truth(self) -> dict[str, float]:
        """The true differences."""
        ours, theirs = (_exact(table) for table in (self.before, self.after))
        return {name: theirs[name] - ours[name] for name in ours}


def population(gain: float, seed: int = 0) -> Population:
    """Rows as held-out answers are: a few very hard, lengths from 5 to 120 words; `gain` is 0 for equal models."""
    draw = np.random.default_rng(seed)
    hard, words = draw.gamma(2.0, 0.35, POPULATION), draw.integers(5, 120, POPULATION)
    return Population(_answers(draw, hard, words, 0.0), _answers(draw, hard, words, gain))


def _answers(draw: Generator, hard: Floats, words: Counts, gain: float) -> Floats:
    """What a model makes of the rows: loss, ROUGE-L and the n-grams it gets right, all worse on hard rows."""
    rows = len(words)
    loss = 2.2 + hard - gain + draw.normal(0, 0.25, rows)
    skill = np.clip(0.75 - 0.3 * hard + gain + draw.normal(0, 0.08, rows), 0.02, 0.98)
    length = np.maximum(1, np.round(words * draw.uniform(0.8, 1.15, rows))).astype(int)
    totals = np.stack([np.maximum(0, length - order) for order in range(4)], axis=1)
    matches = draw.binomial(totals, skill[:, None] ** np.array([1.0, 1.7, 2.4, 3.1]))
    rouge = np.clip(skill + draw.normal(0, 0.05, rows), 0, 1)
    return np.column_stack([loss * words, words, rouge, matches, totals, length, words])


def _exact(table: Floats) -> dict[str, float]:
    nll, tokens, rouge = table[:, :3].sum(axis=0)
    bleu = paired.bleu([table[:, 3:].sum(axis=0)])[0]
    return {"perplexity": float(np.exp(nll / tokens)), "bleu": float(bleu), "rouge_l": float(rouge / len(table))}


@dataclass(frozen=True)
class Rates:
    """Shares of all pairs."""

    covered: float
    told_apart: float


def simulate(of: Population, rows: int, pairs: int, seed: int = 1) -> dict[str, Rates]:
    """By metric, over `pairs` comparisons on `rows` rows each."""
    draw = np.random.default_rng(seed)
    chosen = (draw.integers(POPULATION, size=rows) for _ in range(pairs))
    samples = ((paired.samples(of.before[rows]), paired.samples(of.after[rows])) for rows in chosen)
    found = [{name: paired.difference([a[name]], [b[name]]) for name in a} for a, b in samples]
    return {name: _rates([each[name] for each in found], truth) for name, truth in of.truth.items()}


def _rates(found: list[Difference], truth: float) -> Rates:
    covered = sum(low <= truth <= high for low, high in (each.absolute for each in found))
    told_apart = sum(each.p_value <= 0.05 for each in found)
    return Rates(covered / len(found), told_apart / len(found))


def simulate_seeds(seeds: tuple[int, int], spread: float, rows: int, pairs: int, seed: int = 2) -> Rates:
    """Of perplexity, between two equal configurations whose runs' log perplexities spread by `spread` over seeds."""
    draw = np.random.default_rng(seed)
    return _rates([_with_seeds(draw, seeds, spread, rows) for _ in range(pairs)], 0.0)


def _with_seeds(draw: Generator, seeds: tuple[int, int], spread: float, rows: int) -> Difference:
    hard, words = draw.gamma(2.0, 0.35, rows), draw.integers(5, 120, rows)
    before, after = (list(_runs(draw, count, spread, hard, words)) for count in seeds)
    return paired.difference(before, after)


def _runs(draw: Generator, count: int, spread: float, hard: Floats, words: Counts) -> Iterator[Sample]:
    for luck in draw.normal(0, spread, count):
        loss = 2.2 + hard + luck + draw.normal(0, 0.25, len(words))
        ones = np.ones(len(words))
        table = paired.Side(loss * words, words, ones, np.ones((len(words), 10))).table()
        yield paired.samples(table)["perplexity"]


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    console = Console(width=100)
    table = Table("rows", "models", "metric", "covered", "told apart", title=f"Rows, {pairs:,} pairs", box=None)
    for rows in (100, 250):
        for name, gain in (("equal", 0.0), ("different", 0.03)):
            for metric, rates in simulate(population(gain), rows, pairs).items():
                table.add_row(str(rows), name, metric, f"{rates.covered:.1%}", f"{rates.told_apart:.1%}")
    console.print(table)
    table = Table("seeds", "spread", "covered", title=f"Seeds, 250 rows, {pairs:,} pairs of equals", box=None)
    for seeds in ((1, 1), (3, 1), (2, 2), (3, 3), (5, 5)):
        for spread in (0.0, RUN_SPREAD / 4, RUN_SPREAD, 4 * RUN_SPREAD):
            covered = simulate_seeds(seeds, spread, 250, pairs).covered
            table.add_row(f"{seeds[0]} and {seeds[1]}", f"{spread:.1%}", f"{covered:.1%}")
    console.print(table)


if __name__ == "__main__":
    main()
