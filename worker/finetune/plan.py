"""Which rows make up each optimizer step: the whole order of a training, a pure function of lengths and settings."""

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from app.config_sections import TrainingConfig

# Batches are cut from shuffled stretches of this many batches sorted by length: little padding, much chance.
STRETCH = 50

# Looking for the largest batch, so many are looked through: more hardly ever have a larger one.
MOST_EPOCHS = 10


@dataclass(frozen=True)
class Plan:
    """The whole order of a training, a pure function of lengths and settings: step `n` is the same after a resume."""

    lengths: tuple[int, ...]
    batch_size: int
    accumulation: int
    seed: int
    steps_per_epoch: int
    total_steps: int
    grouped: bool = True  # rows of like length together
    most: int | None = None  # tokens in a batch, which then has as many rows as fit, not `batch_size`

    def step(self, number: int) -> list[list[int]]:
        """The batches, as indices of rows, of optimizer step `number` (0-based)."""
        epoch, at = divmod(number, self.steps_per_epoch)
        return self._batches(epoch)[at * self.accumulation : (at + 1) * self.accumulation]

    def largest(self, *, packed: bool) -> list[int]:
        """The batch with most tokens, padding included where it is padded, of the whole training (of its first epochs,
        of very many)."""

        def size(batch: list[int]) -> int:
            lengths = [self.lengths[row] for row in batch]
            return sum(lengths) if packed else len(batch) * max(lengths)

        epochs = min(MOST_EPOCHS, math.ceil(self.total_steps / self.steps_per_epoch))
        return max(itertools.chain(*map(self._batches, range(epochs))), key=size)

    def epoch(self, steps: int) -> float:
        """Passes over the rows after so many steps."""
        return steps / self.steps_per_epoch

    def _batches(self, epoch: int) -> list[list[int]]:
        return epoch_batches(self.lengths, self.batch_size, self.seed, epoch, self.grouped, self.most)


def split(batch: Sequence[int], divisor: int) -> list[Sequence[int]]:
    """A batch as `divisor` smaller ones, or fewer where it has not the rows: the same rows in as many more passes."""
    size = math.ceil(len(batch) / divisor)
    return [batch[start : start + size] for start in range(0, len(batch), size)]


def make_plan(lengths: Sequence[int], training: TrainingConfig) -> Plan:
    """Every epoch has as many batches as the first."""
    grouped = training.train_sampling_strategy == "group_by_length"
    most = training.max_tokens_per_pass
    kept = tuple(lengths)
    batches = len(epoch_batches(kept, training.per_device_train_batch_size, training.seed, 0, grouped, most))
    per_epoch = math.ceil(batches / training.gradient_accumulation_steps)
    return Plan(
        kept,
        training.per_device_train_batch_size,
        training.gradient_accumulation_steps,
        training.seed,
        per_epoch,
        training.max_steps or math.ceil(training.num_train_epochs * per_epoch),
        grouped,
        most,
    )


@lru_cache(maxsize=2)
def epoch_batches(
    lengths: tuple[int, ...], batch_size: int, seed: int, epoch: int, grouped: bool = True, most: int | None = None
) -> list[list[int]]:
    """Shuffle, where `grouped` sort each stretch by length, cut into batches, shuffle those; the one with most tokens
    is the very first of all, so that what does not fit fails at once."""
    generator = _generator(seed, epoch)
    if most is None:
        rows = _in_stretches(lengths, STRETCH * batch_size if grouped else 1, generator)
        batches = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    else:
        batches = _traded(_by_tokens(lengths, most, seed, grouped), lengths, generator)
    shuffled: list[int] = torch.randperm(len(batches), generator=generator).tolist()
    if epoch == 0:
        largest = max(shuffled, key=lambda i: sum(lengths[row] for row in batches[i]))
        shuffled.remove(largest)
        shuffled.insert(0, largest)
    return [batches[i] for i in shuffled]


def _generator(seed: int, epoch: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)


def _in_stretches(lengths: Sequence[int], stretch: int, generator: torch.Generator) -> list[int]:
    order = torch.randperm(len(lengths), generator=generator).tolist()
    rows: list[int] = []
    for start in range(0, len(order), stretch):
        rows += sorted(order[start : start + stretch], key=lambda i: -lengths[i])
    return rows


def _by_tokens(lengths: Sequence[int], most: int, seed: int, grouped: bool) -> list[list[int]]:
    """Batches of as many rows as fit into `most` tokens; a row that does not is alone. The same in every epoch, which
    otherwise would not all have as many."""
    in_a_batch = max(1, most * len(lengths) // sum(lengths))
    batches: list[list[int]] = []
    room = 0
    for row in _in_stretches(lengths, STRETCH * in_a_batch if grouped else 1, _generator(seed, 0)):
        if not batches or lengths[row] > room:
            batches.append([])
            room = most
        batches[-1].append(row)
        room -= lengths[row]
    return batches


def _traded(batches: Sequence[Sequence[int]], lengths: Sequence[int], generator: torch.Generator) -> list[list[int]]:
    """Rows of equal length have changed places by chance: other company in each epoch, no batch larger than it was."""
    of_length: dict[int, list[int]] = defaultdict(list)
    for row in torch.randperm(len(lengths), generator=generator).tolist():
        of_length[lengths[row]].append(row)
    return [[of_length[lengths[row]].pop() for row in batch] for batch in batches]
