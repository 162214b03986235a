"""What rows of given lengths make of a run's batches: pure arithmetic over the tokens that rows have."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from app.launch.launch_facts import rows_a_pass, total_steps
from app.launch.memory import Pass
from app.run_config import RunConfig

# Batches are cut from stretches of so many, sorted by length (worker.finetune.batches).
STRETCH = 50
# Tokens that are scored at once at most, on CPU and on a GPU (worker.finetune.likelihood).
EVALUATED = {False: 4_096, True: 16_384}
# How many quantiles stand for all lengths.
PARTS = 100


@dataclass(frozen=True)
class Lengths:
    """Tokens of rows at even shares from the shortest to the longest, and the share of all that the loss counts.

    `counted`: a tokenizer did, not a guess by characters.
    """

    quantiles: tuple[int, ...]
    scored: float
    counted: bool = True

    @property
    def longest(self) -> int:
        return self.quantiles[-1]

    @property
    def mean(self) -> float:
        return self.mean_above(0.0)

    def at(self, share: float) -> float:
        place = min(max(share, 0.0), 1.0) * (len(self.quantiles) - 1)
        below = min(int(place), len(self.quantiles) - 2)
        return self.quantiles[below] + (place - below) * (self.quantiles[below + 1] - self.quantiles[below])

    def mean_above(self, share: float) -> float:
        """Of the rows from this share on, the longest at 1."""
        steps = 100
        points = [self.at(share + (1 - share) * i / steps) for i in range(steps + 1)]
        return sum((low + high) / 2 for low, high in pairwise(points)) / steps

    def within(self, max_length: int) -> "Lengths":
        return replace(self, quantiles=tuple(min(length, max_length) for length in self.quantiles))


def of_rows(tokens: Sequence[int], scored: int) -> Lengths:
    """Of rows that were counted, `scored` of all their tokens by the loss."""
    ordered = sorted(tokens)
    quantiles = (ordered[round(i * (len(ordered) - 1) / PARTS)] for i in range(PARTS + 1))
    return Lengths(tuple(quantiles), scored / sum(ordered))


@dataclass(frozen=True)
class Passes:
    """Of a training: its largest forward pass, the rows in one, and the tokens computed for a row with its padding."""

    largest: Pass
    rows: int
    computed: float


def passes(config: RunConfig, lengths: Lengths, rows: int, *, packed: bool) -> Passes:
    """Of `rows` training rows."""
    training = config.training
    if training.max_tokens_per_pass is not None:
        return _filled(lengths, max(lengths.longest, training.max_tokens_per_pass))
    size = min(training.per_device_train_batch_size, max(1, rows))
    if training.train_sampling_strategy == "group_by_length":
        # A batch is cut from its stretch by length: nothing to pad, but all long rows in one.
        largest, computed = size * lengths.mean_above(1 - size / min(max(rows, size), STRETCH * size)), lengths.mean
    else:
        largest, computed = _largest_of_any(lengths, size, rows), lengths.mean if packed else _longest_of(lengths, size)
    tokens = round(largest) if packed else size * lengths.longest
    return Passes(Pass(tokens, round(largest * lengths.scored), lengths.longest), size, computed)


def examples(config: RunConfig, train_rows: int, mean_tokens: float | None = None) -> float:
    """Rows seen in training, each as often as it is seen. Of how many tokens decides only where a step has so many."""
    training = config.training
    if training.max_steps is not None:
        rows = rows_a_pass(training, mean_tokens) or training.per_device_train_batch_size
        return training.max_steps * rows * training.gradient_accumulation_steps
    return training.num_train_epochs * train_rows


def evaluations(config: RunConfig, lengths: Lengths, rows: int) -> int:
    """Looks at held-out losses before the last step."""
    training = config.training
    if training.eval_steps is None:
        return max(0, math.ceil(examples(config, rows, lengths.mean) / rows) - 1)
    return max(0, math.ceil((total_steps(training, rows, lengths.mean) or 0) / training.eval_steps) - 1)


def evaluation(config: RunConfig, lengths: Lengths, rows: int, held_out: int, *, on_gpu: bool) -> Pass | None:
    """The largest pass of an evaluation in mid-training; None where there is none."""
    if not evaluations(config, lengths, rows) and not config.data.validation_fraction:
        return None
    tokens = min(EVALUATED[on_gpu], round(min(held_out, config.evaluation.max_eval_rows) * lengths.mean))
    return Pass(tokens, round(tokens * lengths.scored), lengths.longest)


def _filled(lengths: Lengths, tokens: int) -> Passes:
    """As many rows as there is room for."""
    largest = Pass(tokens, round(tokens * lengths.scored), lengths.longest)
    return Passes(largest, max(1, int(tokens / lengths.mean)), lengths.mean)


def _largest_of_any(lengths: Lengths, size: int, rows: int) -> float:
    """Rows by chance: so much above the middle batch as the largest of so many normal draws is expected to lie."""
    shares = [i / 32 for i in range(33)]
    spread = math.sqrt(sum((lengths.at(share) - lengths.mean) ** 2 for share in shares) / len(shares))
    draws = math.log(max(3.0, rows / size))
    deviations = math.sqrt(2 * draws) - math.log(4 * math.pi * draws) / math.sqrt(8 * draws)
    return min(size * lengths.longest, size * lengths.mean + deviations * spread * math.sqrt(size))


def _longest_of(lengths: Lengths, size: int) -> float:
    """The expected longest of so many rows by chance."""
    steps = 64
    edges = [lengths.at((i / steps) ** (1 / size)) for i in range(steps + 1)]
    return sum((low + high) / 2 for low, high in pairwise(edges)) / steps
