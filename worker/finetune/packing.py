"""Rows of a batch joined into one line instead of padded: used only where the model then computes the same loss."""

from collections.abc import Sequence
from typing import Any

import torch

from worker.finetune.batches import pack, pad
from worker.finetune.device import autocast
from worker.finetune.errors import FinetuneError
from worker.finetune.likelihood import token_nll
from worker.finetune.tokens import Example

# Of a token's loss: far above rounding in each type, far below what a neighbour's text changes.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 5e-2, torch.float16: 1e-2}


@torch.no_grad()
def check_exact(model: Any, examples: Sequence[Example], pad_id: int, dtype: torch.dtype) -> None:
    """Raise FinetuneError where restarting positions do not keep the rows of a line apart in this architecture."""
    few = sorted(examples, key=len)[:3]
    model.eval()
    with autocast(model.device, dtype):
        padded, _ = token_nll(model, pad(few, pad_id).to(model.device))
        packed, _ = token_nll(model, pack(few).to(model.device))
    if torch.allclose(packed, padded, rtol=0, atol=TOLERANCE[dtype]):
        return
    raise FinetuneError(
        "packing_not_exact",
        "Packing is not possible with this base model",
        "Rows joined into one line would read each other: the loss differs from that of padded rows.",
        "Set training.packing to false.",
    )
