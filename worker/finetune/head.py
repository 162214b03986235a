"""The model's output layer over scored tokens only: logits of prompts and padding are never computed, and of many
scored tokens never all at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from worker.finetune.batches import Batch

# Bytes of logits, in float32, that may be there at once. The gradient takes as much again.
AT_ONCE = {"cpu": 64 * 2**20, "cuda": 512 * 2**20}


def chunk_size(model: Any) -> int:
    """Scored tokens whose logits may be there at once."""
    return max(1, AT_ONCE.get(model.device.type, AT_ONCE["cuda"]) // (4 * vocabulary(model)))


def vocabulary(model: Any) -> int:
    return int(model.config.get_text_config().vocab_size)


def scored_nll(model: Any, batch: Batch, chunk: int | None) -> torch.Tensor:
    """The negative log-likelihood of every scored token, in float32.

    The output layer is given the positions that predict one, so that what a model does to its logits afterwards it
    still does. With more than `chunk` of them it is given the first, and `_later` computes all.
    """
    scored = batch.scored()
    if chunk is None or len(scored.at) <= chunk:
        with _only(model, scored.at):
            logits = model(**batch.inputs()).logits
        return _nll(logits.flatten(0, 1), scored.ids)
    with _only(model, scored.at, first=1) as hidden:
        model(**batch.inputs())
    return _later(model, hidden[0], scored.ids, chunk)


def _later(model: Any, hidden: torch.Tensor, ids: torch.Tensor, chunk: int) -> torch.Tensor:
    """In chunks, whose logits are computed again in the backward pass."""

    def one(states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return _nll(_capped(model, model.get_output_embeddings()(states)), targets)

    pieces = zip(torch.split(hidden, chunk), torch.split(ids, chunk), strict=True)
    if not torch.is_grad_enabled():
        return torch.cat([one(*piece) for piece in pieces])
    return torch.cat([checkpoint(one, *piece, use_reentrant=False) for piece in pieces])


def _capped(model: Any, logits: torch.Tensor) -> torch.Tensor:
    """The one thing that architectures do to logits which is done here as well; others are not computed in chunks."""
    cap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    return logits if cap is None else torch.tanh(logits / cap) * cap


def _nll(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    return cross_entropy(logits.float(), ids, reduction="none")


@contextmanager
def _only(model: Any, at: torch.Tensor, first: int | None = None) -> Iterator[list[torch.Tensor]]:
    """While this lasts, the output layer sees the positions `at`, or the `first` of them; all are in the list."""
    seen: list[torch.Tensor] = []

    def select(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        # One index_select, because the gradient of a boolean mask is slow.
        seen.append(given[0].flatten(0, 1).index_select(0, at))
        return seen[0][:first].unsqueeze(0), *given[1:]

    hook = model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        yield seen
    finally:
        hook.remove()
