"""Kernels from elsewhere in a model: Liger's, and those that torch.compile makes. Both only where they are wanted,
and tried on a few rows first: what they compute must be what the model computed before."""

from typing import Any, Literal

import torch
from transformers.integrations.liger import apply_liger_kernel

from app.config_sections import TrainingConfig
from worker.finetune.batches import Batch
from worker.finetune.device import autocast
from worker.finetune.errors import FinetuneError, is_out_of_memory
from worker.finetune.likelihood import token_nll

# Of a token's loss, and of the largest gradient: above rounding in each type, far below what is wrong.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 5e-2, torch.float16: 1e-2}
BACKEND = "inductor"
Seen = tuple[torch.Tensor, torch.Tensor]


def switch_on(model: Any, training: TrainingConfig, batch: Batch, dtype: torch.dtype) -> dict[str, str]:
    """Change the adapted model in place; answers what was done. Raises FinetuneError where it cannot be, or is not
    exact for this batch."""
    said: dict[str, str] = {}
    if not (training.use_liger_kernel or training.torch_compile):
        return said
    before = _computed(model, batch, dtype)
    if training.use_liger_kernel:
        said["liger"] = f"in {_liger(model)} modules"
        _check(model, batch, dtype, before, "use_liger_kernel")
    if training.torch_compile:
        said["compiled"] = f"{_compile(model)} feed-forward blocks"
        _check(model, batch, dtype, before, "torch_compile")
    return said


def _liger(model: Any) -> int:
    """The number of modules that Liger's kernels took over. Its loss is left out: logits are computed of scored tokens
    only as it is."""
    if model.device.type != "cuda":
        raise _impossible("use_liger_kernel", "Liger's kernels run on a GPU alone; this worker has none.")
    before = _patched(model)
    try:
        apply_liger_kernel(model, {"cross_entropy": False, "fused_linear_cross_entropy": False})
    except ImportError as error:
        raise _impossible("use_liger_kernel", "The package liger-kernel is not installed beside the worker.") from error
    taken = _patched(model) - before
    if not taken:
        raise _impossible("use_liger_kernel", f"Liger knows no architecture {model.config.model_type}.")
    return taken


def _patched(model: Any) -> int:
    return sum("forward" in vars(module) for module in model.modules())


def _compile(model: Any) -> int:
    """The blocks between attentions: those have a number of operations to join, and no loop over a batch's rows."""
    blocks = [module for name, module in model.named_modules() if name.endswith(".mlp")]
    if not blocks:
        raise _impossible("torch_compile", f"No feed-forward blocks are known of {model.config.model_type}.")
    for block in blocks:
        block.compile(dynamic=True, backend=BACKEND)
    return len(blocks)


def _computed(model: Any, batch: Batch, dtype: torch.dtype) -> Seen:
    """Losses of tokens, and all gradients of their sum in one line."""
    model.eval()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with autocast(model.device, dtype):
        losses, _ = token_nll(model, batch.to(model.device))
    gradients = torch.autograd.grad(losses.sum(), trained)
    return losses.detach(), torch.cat([gradient.flatten() for gradient in gradients])


def _check(
    model: Any, batch: Batch, dtype: torch.dtype, before: Seen, setting: Literal["use_liger_kernel", "torch_compile"]
) -> None:
    try:
        after = _computed(model, batch, dtype)
    except RuntimeError as error:  # what compilers raise, too
        if is_out_of_memory(error):
            raise
        raise _impossible(setting, f"It failed: {str(error).partition(chr(10))[0]}") from error
    allowed = TOLERANCE[dtype]
    for name, one, other in zip(("losses", "gradients"), before, after, strict=True):
        if not torch.allclose(one, other, rtol=0, atol=allowed * max(1.0, float(one.abs().max()))):
            raise _impossible(setting, f"The {name} of a few rows are others than without it.")


def _impossible(setting: str, why: str) -> FinetuneError:
    what = {"use_liger_kernel": "Liger kernels are", "torch_compile": "Compiling is"}[setting]
    return FinetuneError(
        f"{setting}_not_possible", f"{what} not possible here", why, f"Set training.{setting} to false."
    )
