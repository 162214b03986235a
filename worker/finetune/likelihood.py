"""Negative log-likelihood of answers: the loss of training, and what perplexity is computed from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from worker.finetune.batches import Batch, pack, pad
from worker.finetune.device import autocast, free_bytes
from worker.finetune.errors import is_out_of_memory
from worker.finetune.head import scored_nll, vocabulary
from worker.finetune.paths import PLAIN, Paths
from worker.finetune.reporter import Reporter, check_stop
from worker.finetune.tokens import Example

# Tokens in one pass; app.launch.passes forecasts with the same. On a GPU four times as many would be too much for what
# else is there: the widest layer of a model with 1.1 billion parameters would make three tensors of 740 MB.
AT_ONCE = {"cpu": 4_096, "cuda": 16_384}


@dataclass(frozen=True)
class Likelihood:
    """Of each row, in the order given: the summed negative log-likelihood of its scored tokens, and their number."""

    nll: list[float]
    tokens: list[int]

    @property
    def loss(self) -> float:
        """Mean over all tokens, never over rows or batches: the value does not depend on the batch size."""
        return sum(self.nll) / sum(self.tokens)


def token_nll(model: Any, batch: Batch, paths: Paths = PLAIN) -> tuple[torch.Tensor, torch.Tensor]:
    """The negative log-likelihood of every counted token, in float32, and the row of the batch that it is in."""
    scored = batch.scored()
    if paths.scored:
        return scored_nll(model, batch, paths.chunk), scored.rows
    logits = model(**batch.inputs()).logits
    # Only positions that predict a counted token are taken to float32: prompt and padding need no copy of the
    # vocabulary. One index_select, because the gradient of a boolean mask is slow.
    predicting = logits.flatten(0, 1).index_select(0, scored.at)
    return cross_entropy(predicting.float(), scored.ids, reduction="none"), scored.rows


@torch.no_grad()
def likelihood(
    model: Any,
    examples: Sequence[Example],
    *,
    pad_id: int,
    dtype: torch.dtype,
    reporter: Reporter,
    paths: Paths = PLAIN,
) -> Likelihood:
    """Score rows, the longest first, in batches as large as memory allows."""
    model.eval()
    order = sorted(range(len(examples)), key=lambda i: -len(examples[i]))
    nll, tokens = [0.0] * len(examples), [0] * len(examples)
    limit = _tokens_at_once(model, paths)
    while order:
        check_stop(reporter)
        take = _rows_in((len(examples[i]) for i in order), limit, paths)
        batch = [examples[i] for i in order[:take]]
        try:
            sums, counts = _score(model, join(batch, pad_id, paths), len(batch), dtype, paths)
        except (RuntimeError, MemoryError) as error:
            if take == 1 or not is_out_of_memory(error):
                raise
            limit //= 2
            continue
        for i, value, count in zip(order[:take], sums, counts, strict=True):
            nll[i], tokens[i] = value, count
        order = order[take:]
    return Likelihood(nll, tokens)


def join(examples: Sequence[Example], pad_id: int, paths: Paths) -> Batch:
    return pack(examples) if paths.packed else pad(examples, pad_id)


def _rows_in(lengths: Iterator[int], limit: int, paths: Paths) -> int:
    """How many of the first rows have `limit` tokens between them, padding included; one at least."""
    if not paths.packed:
        return max(1, limit // next(lengths))
    return max(1, sum(1 for _ in takewhile(lambda tokens: tokens <= limit, accumulate(lengths))))


def _score(model: Any, batch: Batch, rows: int, dtype: torch.dtype, paths: Paths) -> tuple[list[float], list[int]]:
    device = model.device
    with autocast(device, dtype):
        nll, at = token_nll(model, batch.to(device), paths)
    # Sums in float64, on the CPU: a row's value must not depend on what else is in its batch.
    sums = torch.zeros(rows, dtype=torch.float64).index_add_(0, at.cpu(), nll.double().cpu())
    return sums.tolist(), torch.bincount(at.cpu(), minlength=rows).tolist()


def _tokens_at_once(model: Any, paths: Paths) -> int:
    """Tokens in a batch whose logits, held three times, take a quarter of what is free; in chunks they are no matter.

    Larger batches are no faster, and a request to stop would wait for them.
    """
    most = AT_ONCE[model.device.type]
    if paths.chunk is not None:
        return most
    return int(min(most, max(512, free_bytes(model.device) / 4 / (12 * vocabulary(model)))))
