"""The form of a model that is measured: the same weights, dequantised and, where that loses nothing, merged.

Never an adapter merged into 4-bit weights: quantising the sum again changes every second answer.
"""

import copy
from dataclasses import dataclass
from typing import Any, Literal

import torch
from bitsandbytes.nn import Linear4bit

from worker.finetune import cutting, products
from worker.finetune.adapter import adapter_state, restore_adapter, wrap
from worker.finetune.device import free_bytes
from worker.finetune.quantization import dequantised, quantised_layers

# Of the free memory, what a copy may take: the rest is for keys and values.
SHARE = 0.6

Way = Literal["fast", "plain"]


@dataclass(frozen=True)
class Writer:
    """A model that answers. `leaving`: rows that have ended leave their batch; else transformers carries them along.
    `path` says in a few words how it answers, for the record. `exact`: its losses are the model's own to rounding, so
    that perplexity may be taken from it."""

    model: Any
    leaving: bool
    path: str
    exact: bool = False


def plain_writer(model: Any) -> Writer:
    return Writer(model, leaving=False, path="by transformers, from the model itself")


def base_writer(model: Any, dtype: torch.dtype, way: Way = "fast") -> Writer:
    """The base itself where nothing is quantised, or where a whole copy does not fit."""
    if way == "plain":
        return plain_writer(model)
    if not any(quantised_layers(model)):
        return _fast(model, dtype, "from the model itself")
    if not _fits(model, dtype):
        return _fast(model, dtype, "from the model itself, no memory for a copy")
    exact = _is_exact(model, dtype)
    copied = products.quickened(dequantised(copy.deepcopy(model), dtype))
    return _fast(copied, dtype, "from a dequantised copy", exact)


def tuned_writer(model: Any, dtype: torch.dtype, way: Way = "fast") -> Writer:
    """A whole copy with the adapter, merged in float32; 16-bit weights would round the merged sum."""
    if way == "plain":
        return plain_writer(model)
    if not _fits(model, dtype):
        return _fast(model, dtype, "from the model itself, no memory for a copy")
    config = copy.deepcopy(model.peft_config["default"])
    plain = dequantised(copy.deepcopy(model).unload(), dtype)
    whole = wrap(plain, config)
    restore_adapter(whole, adapter_state(model))
    if dtype == torch.float32:
        merged, exact = products.quickened(whole.merge_and_unload().eval()), _is_exact(model, dtype)
        return _fast(merged, dtype, "from a dequantised copy, adapter merged", exact)
    return _fast(whole.eval(), dtype, "from a dequantised copy, adapter beside it")


def whole_in_place(model: Any, dtype: torch.dtype) -> Any:
    """A base that is needed in no other form: dequantised and not copied, where that fits."""
    return dequantised(model, dtype) if any(quantised_layers(model)) and _fits(model, dtype) else model


def _fast(model: Any, dtype: torch.dtype, form: str, exact: bool = False) -> Writer:
    """Finished rows leave wherever that changes nothing."""
    against = cutting.why_not(model, dtype)
    how = "finished rows leave" if against is None else f"by transformers, because {against}"
    more = ("; perplexity from the copy too" if exact else "") + ("; by oneDNN" if products.are_quick(model) else "")
    return Writer(model, against is None, f"{form}; {how}{more}", exact)


def _is_exact(model: Any, dtype: torch.dtype) -> bool:
    """Layers of 8 bits round what they are given as well, which a copy does not."""
    return dtype == torch.float32 and all(isinstance(layer, Linear4bit) for _, layer in quantised_layers(model))


def _fits(model: Any, dtype: torch.dtype) -> bool:
    layers = sum(layer.in_features * layer.out_features for _, layer in quantised_layers(model))
    rest = sum(p.numel() for p in model.parameters() if p.dtype.is_floating_point)
    # The copy is first made as it is, then layer by layer made whole: both count.
    needed = (layers + rest) * dtype.itemsize + layers
    return bool(needed < SHARE * free_bytes(model.device))
