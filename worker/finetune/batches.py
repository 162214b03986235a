"""The rows of a forward pass, joined: padded, or in one line."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from app.launch.passes import Lengths, of_rows
from worker.finetune.tokens import Example

IGNORED = -100


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
