"""Whether rows can leave an architecture's batch in mid-answer: tried with three of them before it is relied on."""

from array import array
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from worker.finetune.device import autocast
from worker.finetune.errors import is_out_of_memory
from worker.finetune.lines import left_padded, logits, read

# Of the largest logit: far above rounding in each type, far below what a row does that reads another's columns.
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 2e-2}
LENGTHS = (21, 6, 13)


@torch.no_grad()
def why_not(model: Any, dtype: torch.dtype) -> str | None:
    """None where the rows that stay go on as if they had been alone from the beginning."""
    kinds = {type(layer) for layer in DynamicCache(config=model.config).layers} - {
        DynamicLayer,
        DynamicSlidingWindowLayer,
    }
    if kinds:
        return f"it remembers in {min(kind.__name__ for kind in kinds)}"
    model.eval()
    try:
        with autocast(model.device, dtype):
            return None if _same(model, TOLERANCE[dtype]) else "rows that stay would say something else"
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        if is_out_of_memory(error):
            raise
        return f"it fails ({type(error).__name__})"


def _same(model: Any, tolerance: float) -> bool:
    vocabulary = model.config.get_text_config().vocab_size
    prompts = [array("i", ((7 * at + length) % vocabulary for at in range(length))) for length in LENGTHS]
    lines = read(model, prompts[:2]).joined(read(model, prompts[2:]))
    said = [lines.newest]
    lines.step(model)
    lines.keep([1, 2])
    said = [said[0][1:], lines.newest]
    found = lines.step(model)
    alone = [_alone(model, array("i", [*prompts[row + 1], *(int(tokens[row]) for tokens in said)])) for row in (0, 1)]
    expected = torch.cat(alone)
    return bool((found - expected).abs().max() <= tolerance * expected.abs().max())


def _alone(model: Any, ids: "array[int]") -> torch.Tensor:
    tokens, mask = (part.to(model.device) for part in left_padded([ids]))
    return logits(model, tokens, mask=mask, at=mask.cumsum(1) - 1, cache=None)
