"""Whether to recompute activations in the backward pass: a third slower, and far less memory."""

from typing import Any

import torch

from app.launch import memory
from app.launch.launch_facts import ModelShape
from app.run_config import RunConfig
from worker.finetune.device import free_bytes


def wanted(config: RunConfig, shape: ModelShape | None, device: torch.device, longest: int) -> bool:
    """`auto`: on a GPU, where the largest batch would not fit beside the loaded base; never on CPU, where memory is
    plenty and time is not. A base whose files tell no shape is not trusted to fit."""
    choice = config.training.gradient_checkpointing
    if choice != "auto":
        return choice
    if device.type != "cuda":
        return False
    largest = memory.Pass.of_rows(config.training.per_device_train_batch_size, longest)
    kept = memory.training(config, shape, largest, on_gpu=True, recompute=False) if shape else None
    return kept is None or memory.is_too_much(kept, free_bytes(device))


def switch_on(model: Any) -> None:
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
