"""Whether to recompute activations in the backward pass: a third slower, and far less memory."""

from typing import Any

from app.run_config import TrainingConfig
from worker.finetune.device import free_bytes

# Of the free memory, what activations may take before they are recomputed.
SHARE = 0.6


def wanted(training: TrainingConfig, model: Any, longest: int) -> bool:
    """`auto`: on a GPU, where the largest batch would not fit; never on CPU, where memory is plenty and time is not."""
    if training.gradient_checkpointing != "auto":
        return training.gradient_checkpointing
    if model.device.type != "cuda":
        return False
    return activation_bytes(model.config, longest * training.per_device_train_batch_size) > SHARE * free_bytes(
        model.device
    )


def activation_bytes(config: Any, tokens: int) -> int:
    """Roughly what a forward pass keeps for the backward one: a layer's inputs in 16 bits, logits in 16 and 32."""
    hidden = config.hidden_size
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    layer = 2 * (20 * hidden + 6 * inner)
    return int(tokens * (config.num_hidden_layers * layer + 10 * config.vocab_size))


def switch_on(model: Any) -> None:
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
