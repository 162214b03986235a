"""Layer and adapter in few operations: the same sum that peft computes, without its copies.

peft computes base(x) + scale * B(A(dropout(x))) one operation after the other, each over a tensor as large as the
layer's input or output. Here the scale goes into the multiplication; on CPU the sum is written into the layer's own
output, what is dropped is drawn by place, and every product has the small side (r) first, which is where CPUs are
fast with thin matrices. Whatever is not plain LoRA stays peft's.
"""

from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from peft.tuners import lora
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear
from transformers.pytorch_utils import Conv1D

from worker.finetune import dropout, products
from worker.finetune.quantization import Quantised, dequantise

NAME = "default"  # that peft gives the one adapter


class _Fused:
    """Mixed into a layer of peft, whose forward it takes the place of where nothing special is asked."""

    def forward(self: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if args or kwargs or self.disable_adapters or self.merged or self.active_adapters != [NAME]:
            summed: torch.Tensor = super().forward(x, *args, **kwargs)  # type: ignore[misc]
            return summed
        return _in_place(self, x) if _is_simple(self, x) else _in_turn(self, x)


class FusedLinear(_Fused, lora.Linear):  # type: ignore[misc]
    pass


class FusedLinear4bit(_Fused, lora.Linear4bit):  # type: ignore[misc]
    pass


class FusedLinear8bit(_Fused, lora.Linear8bitLt):  # type: ignore[misc]
    pass


FUSED: dict[type, Any] = {
    lora.Linear: FusedLinear,
    lora.Linear4bit: FusedLinear4bit,
    lora.Linear8bitLt: FusedLinear8bit,
}


def fuse(model: nn.Module) -> None:
    """Change the model's adapted layers in place; it stays the model that peft knows, saves, merges and unloads."""
    for layer in model.modules():
        if type(layer) in FUSED and _is_plain_lora(layer):
            layer.__class__ = FUSED[type(layer)]


def paths(model: nn.Module) -> dict[str, str]:
    """How layers and adapter are computed, in a few words."""
    layers = [layer for layer in model.modules() if isinstance(layer, lora.LoraLayer)]
    fused = [layer for layer in layers if isinstance(layer, _Fused)]
    if not fused:
        return {"adapter": "as peft computes it"}
    share, device = _share(layers[0]), next(model.parameters()).device
    drawn = {"dropout": "places drawn"} if dropout.is_drawn(share, device) else {}
    some = "" if len(fused) == len(layers) else f" in {len(fused)} of {len(layers)} layers"
    by = "; products by oneDNN" if products.are_quick(model) else ""
    return {"adapter": f"fused{some}{by}"} | drawn


def _is_plain_lora(layer: Any) -> bool:
    return not layer.lora_variant and list(layer.lora_A) == [NAME] and layer.lora_B[NAME].bias is None


def _share(layer: Any) -> float:
    return float(getattr(layer.lora_dropout[NAME], "p", 0.0))


def _is_simple(layer: Any, x: torch.Tensor) -> bool:
    """float32 on CPU over a frozen layer: where the backward pass is written out below."""
    if torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu"):
        return False
    frozen = not any(p.requires_grad for p in layer.base_layer.parameters())
    return frozen and x.device.type == "cpu" and x.dtype == layer.lora_A[NAME].weight.dtype == torch.float32


def _drawn(layer: Any, x: torch.Tensor) -> torch.Tensor | None:
    """Places of `x` to drop now; None where none are drawn."""
    if torch.compiler.is_compiling():
        return None  # how many places there are is known to no compiler
    share = _share(layer)
    if layer.training and dropout.is_drawn(share, x.device):
        return dropout.places(x.numel(), share)
    return None


def _in_place(layer: Any, x: torch.Tensor) -> torch.Tensor:
    places, scale = _drawn(layer, x), layer.scaling[NAME]
    if places is not None:
        scale /= 1 - _share(layer)
    a, b = layer.lora_A[NAME].weight, layer.lora_B[NAME].weight
    summed: torch.Tensor = _Sum.apply(x, a, b, layer.base_layer, places, scale)  # type: ignore[no-untyped-call]
    return summed


def _in_turn(layer: Any, x: torch.Tensor) -> torch.Tensor:
    """Through autograd, in any type and on any device: the scale on the thin product, not on the wide one."""
    out: torch.Tensor = layer.base_layer(x)
    a, b, scale = layer.lora_A[NAME].weight, layer.lora_B[NAME].weight, layer.scaling[NAME]
    y = x if torch.is_autocast_enabled(x.device.type) else x.to(a.dtype)
    places = _drawn(layer, x)
    if places is None:
        y = layer.lora_dropout[NAME](y)
    else:
        y, scale = dropout.drop(y, places), scale / (1 - _share(layer))
    return out + linear(linear(y, a) * scale, b).to(out.dtype)


class _Sum(torch.autograd.Function):
    """base(x) + scale * drop(x) A' B'. Kept for the backward pass are `x`, which layers of one input share, and the
    product with A, which is thin; what was dropped is dropped again, and the base dequantised again."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, base: nn.Module, at: Any, scale: float
    ) -> torch.Tensor:
        thin = a @ _kept(x, at).T
        out = of_base(x, base)
        out.view(-1, out.shape[-1]).addmm_(thin.T, b.T, alpha=scale)
        ctx.save_for_backward(x, a, b, thin, at)
        ctx.base, ctx.scale = base, scale
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, a, b, thin, at = ctx.saved_tensors
        lines = grad.reshape(-1, grad.shape[-1])
        through = (b.T @ lines.T).mul_(ctx.scale)
        grad_b = (thin @ lines).mul_(ctx.scale).T
        grad_a = through @ _kept(x, at)
        grad_x = _of_input(lines, through.T @ a, ctx.base, at).view(x.shape) if ctx.needs_input_grad[0] else None
        return grad_x, grad_a, grad_b, None, None, None


def of_base(x: torch.Tensor, base: Any) -> torch.Tensor:
    """bitsandbytes makes a 4-bit weight whole for each product, and leaves that product to torch."""
    if isinstance(base, Linear4bit) and base.compute_dtype == x.dtype and products.is_quicker():
        return products.linear(x, dequantise(base), base.bias)
    found: torch.Tensor = base(x)
    return found


def _kept(x: torch.Tensor, at: torch.Tensor | None) -> torch.Tensor:
    """`x` as lines of numbers, those dropped at 0."""
    return (x if at is None else dropout.drop(x, at)).reshape(-1, x.shape[-1])


def _of_input(lines: torch.Tensor, through: torch.Tensor, base: nn.Module, at: torch.Tensor | None) -> torch.Tensor:
    """The gradient of the input: what comes through the base, and what comes through the adapter where it was kept."""
    if at is not None:
        through.view(-1).index_fill_(0, at, 0)
    return products.added(through, lines, _weight(base))


def _weight(base: Any) -> torch.Tensor:
    """(out, in), as it was multiplied with."""
    if isinstance(base, Quantised):
        return dequantise(base)
    weight: torch.Tensor = base.weight
    return weight.T if isinstance(base, Conv1D) else weight
