"""The form of a model that generates answers: the same weights, dequantised and, where that loses nothing, merged.

Never an adapter merged into 4-bit weights: quantising the sum again changes every second answer.
"""

import copy
from typing import Any

import torch

from worker.finetune.adapter import adapter_state, restore_adapter, wrap
from worker.finetune.device import free_bytes
from worker.finetune.quantization import dequantised, quantised_layers

# Of the free memory, what a copy may take: the rest is for keys and values.
SHARE = 0.6


def base_writer(model: Any, dtype: torch.dtype) -> Any:
    """The base itself where nothing is quantised, or where a whole copy does not fit."""
    if not any(quantised_layers(model)) or not _fits(model, dtype):
        return model
    return dequantised(copy.deepcopy(model), dtype)


def whole_in_place(model: Any, dtype: torch.dtype) -> Any:
    """As base_writer, of a base that is needed in no other form: it is changed and not copied."""
    return dequantised(model, dtype) if any(quantised_layers(model)) and _fits(model, dtype) else model


def tuned_writer(model: Any, dtype: torch.dtype) -> Any:
    """A whole copy with the adapter, merged in float32; 16-bit weights would round the merged sum."""
    if not _fits(model, dtype):
        return model
    config = copy.deepcopy(model.peft_config["default"])
    plain = dequantised(copy.deepcopy(model).unload(), dtype)
    whole = wrap(plain, config)
    restore_adapter(whole, adapter_state(model))
    return whole.merge_and_unload().eval() if dtype == torch.float32 else whole.eval()


def _fits(model: Any, dtype: torch.dtype) -> bool:
    layers = sum(layer.in_features * layer.out_features for _, layer in quantised_layers(model))
    rest = sum(p.numel() for p in model.parameters() if p.dtype.is_floating_point)
    # The copy is first made as it is, then layer by layer made whole: both count.
    needed = (layers + rest) * dtype.itemsize + layers
    return bool(needed < SHARE * free_bytes(model.device))
