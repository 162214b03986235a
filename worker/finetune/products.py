"""Products with a layer's weight in 32 bits on a CPU, by the library that uses all of it.

torch asks MKL, which computes in half the width of an AMD processor with AVX-512. oneDNN, which torch has with it,
computes in all of it and rounds no more. On other processors there is nothing to gain.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear as by_torch

# For fewer lines, or thinner weights, oneDNN takes longer to begin than it saves.
LINES, THIN = 16, 64


class Linear(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return linear(x, self.weight, self.bias)


def quickened(model: Any) -> Any:
    """The model, its plain layers changed in place where that is quicker."""
    for layer in model.modules():
        if type(layer) is nn.Linear and _is_meant(layer.weight) and is_quicker():
            layer.__class__ = Linear
    return model


def are_quick(model: nn.Module) -> bool:
    return any(isinstance(layer, Linear) for layer in model.modules())


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """As torch's, and by torch where the weight is trained or nothing is gained."""
    if _is_trained(weight) or (bias is not None and _is_trained(bias)) or not _pays(x, weight):
        return by_torch(x, weight, bias)
    if torch.is_grad_enabled() and x.requires_grad:
        found: torch.Tensor = _Frozen.apply(x, weight, bias)  # type: ignore[no-untyped-call]
        return found
    return _by_onednn(x, weight, bias)


def added(to: torch.Tensor, lines: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`to` + `lines` @ `weight`; what it was added to is spoiled. No gradient is recorded."""
    if not _pays(lines, weight.T):
        return to.addmm_(lines, weight)
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(lines, to, weight.T, None, "add")
    return found


class _Frozen(torch.autograd.Function):
    """Of a weight that is not trained: only the input has a gradient."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(weight)
        return _by_onednn(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        return linear(grad, weight.T), None, None


def _is_trained(tensor: torch.Tensor) -> bool:
    return tensor.requires_grad and torch.is_grad_enabled()


def _pays(x: torch.Tensor, weight: torch.Tensor) -> bool:
    if torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu") or not (_is_meant(x) and _is_meant(weight)):
        return False
    return x.numel() >= LINES * x.shape[-1] and min(weight.shape) >= THIN and is_quicker()


def _is_meant(tensor: torch.Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32


def _by_onednn(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found


@cache
@torch.no_grad()
def is_quicker() -> bool:
    """Told by the processor and not by a clock: the same run computes the same numbers again."""
    if not (torch._C.has_mkl and _is_wide_amd()):
        return False
    x, weight = torch.linspace(-1, 1, 32 * 96).view(32, 96), torch.linspace(-1, 2, 80 * 96).view(80, 96)
    try:
        return torch.allclose(_by_onednn(x, weight, None), by_torch(x, weight), rtol=1e-5, atol=1e-4)
    except (RuntimeError, AttributeError):  # a private operation of torch
        return False


def _is_wide_amd() -> bool:
    processor = Path("/proc/cpuinfo")
    wide = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return wide and processor.exists() and "AuthenticAMD" in processor.read_text()
