"""Which rows make up each optimizer step, and how the rows of a forward pass are joined."""

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from app.config_sections import TrainingConfig
from app.launch.passes import Lengths, of_rows
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
    grouped: bool = True  # rows of like length together
    most: int | None = None  # tokens in a batch, which then has as many rows as fit, not `batch_size`

    def step(self, number: int) -> list[list[int]]:
        """The batches, as indices of rows, of optimizer step `number` (0-based)."""
        epoch, at = divmod(number, self.steps_per_epoch)
        return self._batches(epoch)[at * self.accumulation : (at + 1) * self.accumulation]

    def largest(self) -> list[int]:
        """The batch with most tokens, padding included, of the whole training (of its first epochs, of very many)."""
        epochs = min(MOST_EPOCHS, math.ceil(self.total_steps / self.steps_per_epoch))
        batches = (self._batches(epoch) for epoch in range(epochs))
        return max(itertools.chain(*batches), key=lambda batch: len(batch) * max(self.lengths[row] for row in batch))

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
    """Shuffle, where `grouped` sort each stretch by length, cut into batches, shuffle those; the largest is the very
    first of all, so that what does not fit fails at once."""
    generator = _generator(seed, epoch)
    if most is None:
        rows = _in_stretches(lengths, STRETCH * batch_size if grouped else 1, generator)
        batches = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    else:
        batches = _traded(_by_tokens(lengths, most, seed, grouped), lengths, generator)
    shuffled: list[int] = torch.randperm(len(batches), generator=generator).tolist()
    if epoch == 0:
        largest = max(shuffled, key=lambda i: len(batches[i]) * max(lengths[row] for row in batches[i]))
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


@dataclass(frozen=True)
class Scored:
    """The tokens that the loss of a batch counts, each at the same place in three tensors of one dimension."""

    at: torch.Tensor  # of the token that predicts it, counted through all lines
    ids: torch.Tensor
    rows: torch.Tensor  # of the batch, the row that it is in

    def to(self, device: torch.device) -> "Scored":
        return Scored(*(_moved(t, device) for t in (self.at, self.ids, self.rows)))


@dataclass(frozen=True)
class Batch:
    """Tensors of shape (lines, length); `labels` are IGNORED where the loss does not count. A line is a row, or has
    all rows of the batch, one after another, which begin at `starts` (and the last of these is where it ends)."""

    input_ids: torch.Tensor
    labels: torch.Tensor
    attention_mask: torch.Tensor | None
    position_ids: torch.Tensor | None = None
    starts: torch.Tensor | None = None
    longest: int = 0  # row of a line
    found: Scored | None = None

    def to(self, device: torch.device) -> "Batch":
        """What is counted is looked up before the labels leave the CPU: a look at a GPU waits for all its work."""
        ids, labels = _moved(self.input_ids, device), _moved(self.labels, device)
        mask, positions, starts = (
            t if t is None else _moved(t, device) for t in (self.attention_mask, self.position_ids, self.starts)
        )
        return Batch(ids, labels, mask, positions, starts, self.longest, self.scored().to(device))

    def inputs(self) -> dict[str, Any]:
        """What the model's forward takes."""
        named = {"attention_mask": self.attention_mask, "position_ids": self.position_ids}
        given: dict[str, Any] = {"input_ids": self.input_ids}
        given |= {name: t for name, t in named.items() if t is not None}
        if self.starts is not None:
            given |= {"cu_seq_lens_q": self.starts, "cu_seq_lens_k": self.starts}
            given |= {"max_length_q": self.longest, "max_length_k": self.longest}
        return given

    def scored(self) -> Scored:
        if self.found is not None:
            return self.found
        lines, at = (self.labels[:, 1:] != IGNORED).nonzero(as_tuple=True)
        ids = self.labels[lines, at + 1]
        rows = lines if self.starts is None else torch.bucketize(at, self.starts[1:], right=True)
        return Scored(lines * self.labels.shape[1] + at, ids, rows)


def _moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """To a GPU from pinned memory: any other copy waits until the GPU has done all that it was given before."""
    if device.type != "cuda" or tensor.is_cuda:
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def scored_tokens(examples: Sequence[Example]) -> int:
    """Tokens that the loss of these rows counts; the first of a row is predicted from nothing and never counts."""
    return sum(sum(example.counted[1:]) for example in examples)


def row_lengths(examples: Sequence[Example]) -> Lengths:
    return of_rows(list(map(len, examples)), scored_tokens(examples))


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
    """All rows in one line. Positions restart with each; the first token of a row is predicted from the one before it,
    and so never counts."""
    labels = [_labels(example) for example in examples]
    for piece in labels:
        piece[0] = IGNORED
    lengths = list(map(len, examples))
    ids = torch.cat([torch.tensor(example.ids, dtype=torch.long) for example in examples])
    positions = torch.cat([torch.arange(length) for length in lengths])
    starts = torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32)
    return Batch(ids.unsqueeze(0), torch.cat(labels).unsqueeze(0), None, positions.unsqueeze(0), starts, max(lengths))
