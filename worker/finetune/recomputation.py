"""Whether to recompute activations in the backward pass: a third slower, and far less memory."""

from collections.abc import Sequence
from typing import Any

import torch

from app.launch import memory, passes
from app.launch.launch_facts import ModelShape
from app.run_config import RunConfig
from worker.finetune.batches import row_lengths
from worker.finetune.device import free_bytes
from worker.finetune.tokens import Example


def wanted(config: RunConfig, shape: ModelShape | None, device: torch.device, rows: Sequence[Example]) -> bool:
    """`auto`: on a GPU, where the largest batch would not fit beside the loaded base; never on CPU, where memory is
    plenty and time is not. A base whose files tell no shape is not trusted to fit."""
    choice = config.training.gradient_checkpointing
    if choice != "auto":
        return choice
    if device.type != "cuda":
        return False
    packed = config.training.packing is not False
    largest = passes.passes(config, row_lengths(rows), len(rows), packed=packed).largest
    kept = memory.training(config, shape, largest, on_gpu=True, recompute=False) if shape else None
    return kept is None or memory.is_too_much(kept, free_bytes(device))


def switch_on(model: Any) -> None:
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
