"""What a launch will do, as far as arithmetic tells: optimizer steps, and how many weights are trained. Pure."""

import math
from dataclasses import dataclass

from app.run_config import LoraConfig, TrainingConfig


@dataclass(frozen=True)
class Linear:
    """A layer that an adapter can sit on; `name` is the last part of its module's name (q_proj)."""

    name: str
    inputs: int
    outputs: int
    biases: int


@dataclass(frozen=True)
class ModelShape:
    """What a base model's files say of its size. `linears` leaves out embeddings and the output layer."""

    parameters: int
    biases: int
    linears: tuple[Linear, ...]


def steps_per_epoch(training: TrainingConfig, train_rows: int) -> int:
    """Optimizer steps in one pass; the last batch and the last accumulation may be smaller."""
    batches = math.ceil(train_rows / training.per_device_train_batch_size)
    return math.ceil(batches / training.gradient_accumulation_steps)


def total_steps(training: TrainingConfig, train_rows: int) -> int:
    if training.max_steps is not None:
        return training.max_steps
    return math.ceil(training.num_train_epochs * steps_per_epoch(training, train_rows))


def trainable_parameters(lora: LoraConfig, shape: ModelShape) -> int:
    """Parameters of the adapter, as PEFT counts them."""
    adapted = [linear for linear in shape.linears if _is_target(lora, linear)]
    weights = sum(lora.r * (linear.inputs + linear.outputs) for linear in adapted)
    magnitudes = sum(linear.outputs for linear in adapted) if lora.use_dora else 0
    biases = {"none": 0, "all": shape.biases, "lora_only": sum(linear.biases for linear in adapted)}
    return weights + magnitudes + biases[lora.bias]


def _is_target(lora: LoraConfig, linear: Linear) -> bool:
    return lora.target_modules == "all-linear" or linear.name in lora.target_modules


def trainable_share(lora: LoraConfig, shape: ModelShape) -> float:
    """Trained parameters of all, the adapter's own included."""
    trained = trainable_parameters(lora, shape)
    added = trained if lora.bias == "none" else trainable_parameters(lora.model_copy(update={"bias": "none"}), shape)
    return trained / (shape.parameters + added)
