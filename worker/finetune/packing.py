"""The ways in which this run goes from rows to a loss: each fast one only where this very model then computes the same.

Rows of a batch are joined into one line instead of padded, and logits are computed of scored tokens only. Both are
tried on a few rows before anything is measured, forward and backward, and held against the plain way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from app.config_sections import TrainingConfig
from worker.finetune import attention
from worker.finetune.batches import Batch, pack, pad
from worker.finetune.device import autocast
from worker.finetune.errors import FinetuneError
from worker.finetune.head import chunk_size
from worker.finetune.likelihood import token_nll
from worker.finetune.paths import PLAIN, Paths
from worker.finetune.tokens import Example

# Of a token's loss, and of the largest gradient: far above rounding in each type, far below what a neighbour's text
# changes.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 5e-2, torch.float16: 1e-2}

# Tokens of a row that is tried: enough for three blocks of attention, few enough for any memory.
TRIED = 3 * attention.BLOCK

BLOCKS = "in one line, attention row by row in blocks"
SAMPLING = {"group_by_length": "rows of like length together", "random": "in random order"}


@dataclass(frozen=True)
class Trial:
    """A model and a few rows, with what the plain way makes of them."""

    model: Any
    dtype: torch.dtype
    padded: Batch
    packed: Batch
    losses: torch.Tensor
    gradients: torch.Tensor

    @property
    def part(self) -> int:
        """A chunk that leaves a rest, to try chunks with."""
        return max(1, len(self.losses) // 3)

    def why_not(self, batch: Batch, paths: Paths) -> str | None:
        """What is against these paths; None where they give the same losses and gradients."""
        try:
            losses, gradients = _computed(self.model, batch, self.dtype, paths)
        except (RuntimeError, TypeError, ValueError) as error:
            return str(error).partition("\n")[0] or type(error).__name__
        allowed = TOLERANCE[self.dtype]
        if not torch.allclose(losses, self.losses, rtol=0, atol=allowed):
            return "the losses were others"
        if not torch.allclose(gradients, self.gradients, rtol=0, atol=allowed * float(self.gradients.abs().max())):
            return "the gradients were others"
        return None


def choose(
    model: Any, examples: Sequence[Example], *, longest: int, pad_id: int, dtype: torch.dtype, training: TrainingConfig
) -> Paths:
    """The fastest ways that the settings allow and that are exact with this frozen model, for rows of up to `longest`
    tokens. Raises FinetuneError where packing was asked for (not `auto`) and is not exact."""
    trial = _trial(model, _few(examples), pad_id, dtype)
    paths = PLAIN if training.logits == "all" else Paths(scored=True, chunk=trial.part)
    logits = "of scored tokens only" if paths.scored else "of all tokens"
    against = _not_in_blocks(trial, paths, longest, training)
    if against is not None:  # the line, or these logits
        less, logits = _head(trial, paths)
        if less != paths:
            paths, against = less, _not_in_blocks(trial, less, longest, training)
    packed, rows = (True, BLOCKS) if against is None else _without_blocks(trial, paths, against, training)
    if paths.chunk is not None:
        paths = replace(paths, chunk=chunk_size(model))
        logits += f", {paths.chunk:,} at once"
    said = {"packing": rows, "sampling": SAMPLING[training.train_sampling_strategy], "logits": logits}
    return replace(paths, packed=packed, said=said)


def _few(examples: Sequence[Example]) -> list[Example]:
    """The two shortest rows, and the longest of those that are not too long."""
    by_length = sorted(examples, key=len)
    fitting = [example for example in by_length[2:] if len(example) <= TRIED]
    return [*by_length[:2], *(fitting or by_length[2:3])[-1:]]


def _trial(model: Any, few: Sequence[Example], pad_id: int, dtype: torch.dtype) -> Trial:
    model.eval()
    padded, packed = (batch.to(model.device) for batch in (pad(few, pad_id), pack(few)))
    return Trial(model, dtype, padded, packed, *_computed(model, padded, dtype, PLAIN))


def _computed(model: Any, batch: Batch, dtype: torch.dtype, paths: Paths) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of every counted token, and the gradient of their sum at every token's embedding."""
    embedded: list[torch.Tensor] = []

    def keep(_: Any, __: Any, embedding: torch.Tensor) -> torch.Tensor:
        embedded.append(embedding.detach().requires_grad_())
        return embedded[0]

    hook = model.get_input_embeddings().register_forward_hook(keep)
    try:
        with autocast(model.device, dtype):
            losses, _ = token_nll(model, batch, paths)
        (gradient,) = torch.autograd.grad(losses.sum(), embedded)
    finally:
        hook.remove()
    tokens = gradient.flatten(0, 1)
    if batch.attention_mask is not None:
        tokens = tokens[batch.attention_mask.flatten().bool()]
    return losses.detach(), tokens


def _head(trial: Trial, hoped: Paths) -> tuple[Paths, str]:
    """As much as is exact of the way to the logits that was hoped for."""
    if not hoped.scored:
        return hoped, "of all tokens"
    why = trial.why_not(trial.padded, hoped)
    if why is None:
        return hoped, "of scored tokens only"
    if against := trial.why_not(trial.padded, replace(hoped, chunk=None)):
        return PLAIN, f"of all tokens: {against}"
    return replace(hoped, chunk=None), f"of scored tokens only; not in chunks: {why}"


def _not_in_blocks(trial: Trial, paths: Paths, longest: int, training: TrainingConfig) -> str | None:
    """Why the rows of a line are not attended one by one; None: they are, from now on, and it is exact."""
    if training.packing is False:
        return "not wanted"
    if against := attention.cannot(trial.model, longest):
        return against
    before = attention.switch(trial.model)
    against = trial.why_not(trial.packed, replace(paths, packed=True))
    if against is not None:
        attention.switch(trial.model, before)
    return against


def _without_blocks(trial: Trial, paths: Paths, against: str, training: TrainingConfig) -> tuple[bool, str]:
    if training.packing is False:
        return False, "padded"
    if training.packing == "auto":
        # A mask as large as the line squared costs more than the padding that it saves.
        return False, f"padded: {against}"
    if trial.why_not(trial.packed, replace(paths, packed=True)) is None:
        return True, f"in one line with a mask: {against}"
    raise FinetuneError(
        "packing_not_exact",
        "Packing is not possible with this base model",
        "Rows joined into one line would read each other: the loss differs from that of padded rows.",
        "Set training.packing to auto or false.",
    )
