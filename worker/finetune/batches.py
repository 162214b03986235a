"""Which rows make up each optimizer step, and how the rows of a forward pass are joined."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from app.config_sections import TrainingConfig
from worker.finetune.tokens import Example

IGNORED = -100

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

    def step(self, number: int) -> list[list[int]]:
        """The batches, as indices of rows, of optimizer step `number` (0-based)."""
        epoch, at = divmod(number, self.steps_per_epoch)
        batches = epoch_batches(self.lengths, self.batch_size, self.seed, epoch)
        return batches[at * self.accumulation : (at + 1) * self.accumulation]

    def largest(self) -> list[int]:
        """The batch with most tokens, padding included, of the whole training (of its first epochs, of very many)."""
        epochs = min(MOST_EPOCHS, math.ceil(self.total_steps / self.steps_per_epoch))
        batches = (epoch_batches(self.lengths, self.batch_size, self.seed, epoch) for epoch in range(epochs))
        return max(itertools.chain(*batches), key=lambda batch: len(batch) * max(self.lengths[row] for row in batch))

    def epoch(self, steps: int) -> float:
        """Passes over the rows after so many steps."""
        return steps / self.steps_per_epoch


def split(batch: Sequence[int], divisor: int) -> list[Sequence[int]]:
    """A batch as `divisor` smaller ones, or fewer where it has not the rows: the same rows in as many more passes."""
    size = math.ceil(len(batch) / divisor)
    return [batch[start : start + size] for start in range(0, len(batch), size)]


def make_plan(lengths: Sequence[int], training: TrainingConfig) -> Plan:
    batches = math.ceil(len(lengths) / training.per_device_train_batch_size)
    per_epoch = math.ceil(batches / training.gradient_accumulation_steps)
    total = training.max_steps or math.ceil(training.num_train_epochs * per_epoch)
    return Plan(
        tuple(lengths),
        training.per_device_train_batch_size,
        training.gradient_accumulation_steps,
        training.seed,
        per_epoch,
        total,
    )


@lru_cache(maxsize=2)
def epoch_batches(lengths: tuple[int, ...], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Shuffle, sort each stretch by length, cut into batches, shuffle those; the largest is the very first of all,
    so that what does not fit fails at once."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(len(lengths), generator=generator).tolist()
    stretch = STRETCH * batch_size
    by_length: list[int] = []
    for start in range(0, len(order), stretch):
        by_length += sorted(order[start : start + stretch], key=lambda i: -lengths[i])
    batches = [by_length[i : i + batch_size] for i in range(0, len(by_length), batch_size)]
    shuffled: list[int] = torch.randperm(len(batches), generator=generator).tolist()
    if epoch == 0:
        largest = max(shuffled, key=lambda i: len(batches[i]) * max(lengths[row] for row in batches[i]))
        shuffled.remove(largest)
        shuffled.insert(0, largest)
    return [batches[i] for i in shuffled]


@dataclass(frozen=True)
class Batch:
    """Tensors of shape (rows, length); `labels` are IGNORED where the loss does not count."""

    input_ids: torch.Tensor
    labels: torch.Tensor
    attention_mask: torch.Tensor | None
    position_ids: torch.Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        moved = [t if t is None else t.to(device) for t in (self.attention_mask, self.position_ids)]
        return Batch(self.input_ids.to(device), self.labels.to(device), *moved)

    def inputs(self) -> dict[str, torch.Tensor]:
        """What the model's forward takes."""
        named = {"attention_mask": self.attention_mask, "position_ids": self.position_ids}
        return {"input_ids": self.input_ids} | {name: t for name, t in named.items() if t is not None}


def scored_tokens(examples: Sequence[Example]) -> int:
    """Tokens that the loss of these rows counts; the first of a row is predicted from nothing and never counts."""
    return sum(sum(example.counted[1:]) for example in examples)


def _labels(example: Example) -> torch.Tensor:
    ids = torch.tensor(example.ids, dtype=torch.long)
    counted = torch.tensor(list(example.counted), dtype=torch.bool)
    return ids.masked_fill(~counted, IGNORED)


def pad(examples: Sequence[Example], pad_id: int) -> Batch:
    """Padded on the right to the longest. Masked by position: a pad id that is also EOS costs no answer its end."""
    length = max(map(len, examples))
    ids = torch.full((len(examples), length), pad_id, dtype=torch.long)
    labels = torch.full_like(ids, IGNORED)
    mask = torch.zeros_like(ids)
    for line, example in enumerate(examples):
        size = len(example)
        ids[line, :size] = torch.tensor(example.ids, dtype=torch.long)
        labels[line, :size] = _labels(example)
        mask[line, :size] = 1
    return Batch(ids, labels, mask)


def pack(examples: Sequence[Example]) -> Batch:
    """All rows in one line. Positions restart with each, which tells the attention where one ends; the first token
    of a row is predicted from the one before it, and so never counts."""
    labels = [_labels(example) for example in examples]
    for piece in labels:
        piece[0] = IGNORED
    ids = torch.cat([torch.tensor(example.ids, dtype=torch.long) for example in examples])
    positions = torch.cat([torch.arange(len(example)) for example in examples])
    return Batch(ids.unsqueeze(0), torch.cat(labels).unsqueeze(0), None, positions.unsqueeze(0))
