"""The ways in which a run was computed, fast or plain: what each is called, and the setting that chooses it.

The training process records them by these short names, each with what it did in a few words (environment["paths"]).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Short name: what people call it, and the setting that switches it. Without one there is nothing to choose.
WAYS: dict[str, tuple[str, str | None]] = {
    "packing": ("Rows of a batch", "training.packing"),
    "sampling": ("Order of rows", "training.train_sampling_strategy"),
    "logits": ("Logits", "training.logits"),
    "adapter": ("Adapter", "lora.fused"),
    "dropout": ("Dropout", "lora.fused"),
    "optimizer": ("Optimizer", "training.optim"),
    "recomputation": ("Activations", "training.gradient_checkpointing"),
    "logging": ("Loss and gradient norm", "training.logging_steps"),
    "compiled": ("Compiled", "training.torch_compile"),
    "liger": ("Liger kernels", "training.use_liger_kernel"),
    "generation": ("Generation", "evaluation.generation"),
    "base": ("Base model's results", None),
}


@dataclass(frozen=True)
class Way:
    label: str
    how: str
    setting: str | None


def ways(environment: Mapping[str, Any]) -> list[Way]:
    """Those of a run, in the order above; empty for runs from before they were recorded."""
    paths = environment.get("paths") or {}
    return [Way(label, str(paths[name]), setting) for name, (label, setting) in WAYS.items() if name in paths]
