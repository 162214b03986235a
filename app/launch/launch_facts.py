"""What a launch will do, as far as arithmetic tells: optimizer steps, and how many weights are trained. Pure."""

import math
from dataclasses import dataclass

from app.config_sections import LoraConfig, TrainingConfig


@dataclass(frozen=True)
class Linear:
    """A layer that an adapter can sit on; `name` is the last part of its module's name (q_proj)."""

    name: str
    inputs: int
    outputs: int
    biases: int


@dataclass(frozen=True)
class Decoder:
    """The widths of a decoder: of what is between its layers, of what is inside them, of keys, of its output.

    `kind` is the architecture, as transformers calls it (`model_type`).
    """

    layers: int
    hidden: int
    inner: int
    keys: int
    vocabulary: int
    kind: str = ""


@dataclass(frozen=True)
class ModelShape:
    """What a base model's files say of its size. `linears` leaves out embeddings and the output layer."""

    parameters: int
    biases: int
    linears: tuple[Linear, ...]
    decoder: Decoder | None = None


def rows_a_pass(training: TrainingConfig, mean_tokens: float | None = None) -> float | None:
    """About, where a step's size is given in tokens; None where then nothing is known of the rows' tokens."""
    if training.max_tokens_per_pass is None:
        return training.per_device_train_batch_size
    return max(1.0, training.max_tokens_per_pass / mean_tokens) if mean_tokens else None


def steps_per_epoch(training: TrainingConfig, train_rows: int, mean_tokens: float | None = None) -> int | None:
    """Optimizer steps in one pass over the rows; the last batch and the last accumulation may be smaller."""
    rows = rows_a_pass(training, mean_tokens)
    return None if rows is None else math.ceil(math.ceil(train_rows / rows) / training.gradient_accumulation_steps)


def total_steps(training: TrainingConfig, train_rows: int, mean_tokens: float | None = None) -> int | None:
    if training.max_steps is not None:
        return training.max_steps
    each = steps_per_epoch(training, train_rows, mean_tokens)
    return None if each is None else math.ceil(training.num_train_epochs * each)


def trainable_parameters(lora: LoraConfig, shape: ModelShape) -> int:
    """Parameters of the adapter, as PEFT counts them."""
    adapted = adapted_layers(lora, shape)
    weights = sum(lora.r * (linear.inputs + linear.outputs) for linear in adapted)
    magnitudes = sum(linear.outputs for linear in adapted) if lora.use_dora else 0
    biases = {"none": 0, "all": shape.biases, "lora_only": sum(linear.biases for linear in adapted)}
    return weights + magnitudes + biases[lora.bias]


def adapted_layers(lora: LoraConfig, shape: ModelShape) -> list[Linear]:
    """The layers that an adapter sits on."""
    return [x for x in shape.linears if lora.target_modules == "all-linear" or x.name in lora.target_modules]


def trainable_share(lora: LoraConfig, shape: ModelShape) -> float:
    """Trained parameters of all, the adapter's own included."""
    trained = trainable_parameters(lora, shape)
    added = trained if lora.bias == "none" else trainable_parameters(lora.model_copy(update={"bias": "none"}), shape)
    return trained / (shape.parameters + added)
