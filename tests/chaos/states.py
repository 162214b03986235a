"""What a training would keep in a checkpoint, made from its step's number alone: anybody can tell the right one."""

from typing import Any

import torch

from worker.finetune.tree import flatten


def state(step: int) -> dict[str, Any]:
    """Tensors of several types and sizes, some larger than a page, numbers, texts and gaps."""
    generator = torch.Generator().manual_seed(step)
    sizes = (1, 7, 512, 4096 + step)
    adapter = {f"layers.{n}.lora_A": torch.randn(size, generator=generator) for n, size in enumerate(sizes)}
    return {
        "learner": {"adapter": adapter, "optimizer": {"state": {n: {"step": step} for n in range(3)}}},
        "done": {"step": step, "seconds": step / 7, "best_loss": None if step % 2 else 1.5, "epoch_seconds": [0.1]},
        "best": None if step % 3 else {"half": torch.ones(5, dtype=torch.bfloat16) * step},
        "random": {"cpu": torch.randint(256, (5056,), generator=generator, dtype=torch.uint8)},
        "identity": f"run of {step} größer",
    }


def is_state(found: Any, step: int) -> bool:
    """Whether it is that of the step, to the last bit."""
    ours: dict[str, torch.Tensor] = {}
    theirs: dict[str, torch.Tensor] = {}
    if flatten(state(step), ours) != flatten(found, theirs):
        return False
    return all(
        torch.equal(tensor, theirs[name]) and tensor.dtype == theirs[name].dtype for name, tensor in ours.items()
    )
