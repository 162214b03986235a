"""Optimizer and schedule as transformers builds them; torch's own Adam in one operation for all tensors."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainingArguments, get_scheduler

from app.config_sections import TrainingConfig

# Those that torch computes in one operation instead of several for each tensor, to the same numbers.
FUSED = ("adamw_torch", "adamw_torch_fused", "adam")


def make_optimizer(parameters: Iterable[torch.nn.Parameter], training: TrainingConfig) -> torch.optim.Optimizer:
    """Biases and norms do not decay. `adam` is torch's Adam, whose decay is L2; without decay it equals AdamW."""
    trained = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    cls, kwargs = _optimizer_class(training)
    optimizer: torch.optim.Optimizer = cls([group for group in groups if group["params"]], **kwargs)
    return optimizer


def _optimizer_class(training: TrainingConfig) -> tuple[Any, dict[str, Any]]:
    if training.optim == "adam":
        return torch.optim.Adam, {"lr": training.learning_rate, "fused": True}
    arguments = TrainingArguments(
        output_dir=str(Path.cwd()),  # asked for, never written to
        optim=training.optim,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        report_to=[],
    )
    cls, kwargs = Trainer.get_optimizer_cls_and_kwargs(arguments)
    if "is_paged" in kwargs and not torch.cuda.is_available():
        kwargs["is_paged"] = False  # there is no GPU memory to page out of
    return cls, kwargs | ({"fused": True} if training.optim in FUSED else {})


def warmup_steps(training: TrainingConfig, total_steps: int) -> int:
    """Below 1 a share of all steps, rounded up as transformers does."""
    asked = training.warmup_steps
    return min(total_steps, math.ceil(asked * total_steps) if asked < 1 else int(asked))


def make_scheduler(optimizer: torch.optim.Optimizer, training: TrainingConfig, total_steps: int) -> Any:
    # A polynomial's default end lies above small learning rates, which it refuses.
    extra = {"lr_end": 0.0} if training.lr_scheduler_type == "polynomial" else None
    return get_scheduler(
        training.lr_scheduler_type,
        optimizer,
        num_warmup_steps=warmup_steps(training, total_steps),
        num_training_steps=total_steps,
        scheduler_specific_kwargs=extra,
    )
