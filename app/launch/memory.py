"""What training takes in memory, from the shape of a base model and the settings alone. Pure arithmetic.

The figures a token are those of what torch keeps between forward and backward pass, counted over Llama shapes of many
sizes: the sum is within 2 % of them. Peaks are within a tenth on CPU; tests/worker/finetune/test_memory_forecast.py
holds the sum against torch's own count.
"""

import math
from dataclasses import dataclass

from app.config_sections import LoraConfig, QuantizationConfig
from app.launch.launch_facts import Decoder, ModelShape, adapted_layers, trainable_parameters
from app.run_config import RunConfig

# Of the logits, a number: themselves, and of the half that is counted a copy and its logarithms; then their gradients.
LOGITS = 8
# A block of 64 weights has a scale of 4 bytes; quantised twice, of one, and 256 blocks another one of 4.
BLOCK, BLOCKS = 64, 256
# Of a trained weight, itself and its gradient; and what optimizers keep of it.
TRAINED = 4 + 4
MOMENTS = {
    "adamw_bnb_8bit": 2,
    "paged_adamw_32bit": 0,  # in the machine's memory
    "paged_adamw_8bit": 0,
    "lion_8bit": 1,
    "adafactor": 0,  # a row and a column of each matrix
    "sgd": 0,
    "rmsprop": 4,
}
ADAM = 8
# Of the memory that is free beside the base, what may wait for the backward pass before `auto` computes it again.
SHARE = 0.6


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of training. `weights` are the base's, `adapter` with gradient and optimizer."""

    weights: int
    adapter: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        return self.weights + self.adapter + self.activations + self.logits


def training(config: RunConfig, shape: ModelShape, *, longest: int, on_gpu: bool, recompute: bool) -> Memory | None:
    """Of the largest batch there can be, rows of `longest` tokens; None for a shape that says too little.

    `recompute`: activations are computed again in the backward pass, but for what lies between layers.
    """
    if shape.decoder is None:
        return None
    tokens = longest * config.training.per_device_train_batch_size
    half = is_half(config.quantization, on_gpu=on_gpu)
    kept, logits = activations(config.lora, shape, half=half), float(LOGITS * shape.decoder.vocabulary)
    if recompute:
        # The logits are gone before the first layer is computed again: what is larger makes the peak.
        layer, between = kept / shape.decoder.layers, shape.decoder.hidden * (2 if half else 4) * shape.decoder.layers
        kept, logits = (between, logits) if logits > layer else (between + layer, 0.0)
    trained = trainable_parameters(config.lora, shape)
    return Memory(
        weights=round(weights(config.quantization, shape, on_gpu=on_gpu)),
        adapter=trained * (TRAINED + MOMENTS.get(config.training.optim, ADAM)),
        activations=round(tokens * kept),
        logits=round(tokens * logits),
    )


def is_too_much(made: Memory, free: int) -> bool:
    """Whether `auto` computes activations again rather than keep them, `free` bytes being there beside the base."""
    return made.activations + made.logits > SHARE * free


def is_half(quantization: QuantizationConfig, *, on_gpu: bool) -> bool:
    """Whether it is computed in 16 bits."""
    return on_gpu if quantization.compute_dtype == "auto" else quantization.compute_dtype != "float32"


def weights(quantization: QuantizationConfig, shape: ModelShape, *, on_gpu: bool) -> float:
    """Bytes of the base. Beside quantised layers the others are held in 32 bits, as is everything on CPU."""
    if quantization.method == "none":
        half = is_half(quantization, on_gpu=on_gpu)
        return shape.parameters * (2 if on_gpu and half else 4)
    quantised = sum(linear.inputs * linear.outputs for linear in shape.linears)
    return quantised * _bytes_of_a_weight(quantization) + (shape.parameters - quantised) * 4


def _bytes_of_a_weight(quantization: QuantizationConfig) -> float:
    if quantization.method == "int8":
        return 1.0  # a scale a row is next to nothing
    scale = (1 + 4 / BLOCKS if quantization.double_quant else 4) / BLOCK
    return 0.5 + scale


def activations(lora: LoraConfig, shape: ModelShape, *, half: bool) -> float:
    """Bytes of a token that wait for the backward pass, in all layers."""
    decoder = shape.decoder
    assert decoder is not None
    adapted = adapted_layers(lora, shape)
    inputs = sum(linear.inputs for linear in adapted)
    ranks = lora.r * len(adapted)
    if half:
        dropped = 6.0 if lora.lora_dropout else 2.0
        return decoder.layers * _layer(decoder, 17.7, 5.5, 0.75) + dropped * inputs + 2 * ranks
    dropped = 8.0 if lora.lora_dropout else 2.4
    return decoder.layers * _layer(decoder, 26, 11.5, 1.5) + dropped * inputs + 4 * ranks


def _layer(decoder: Decoder, hidden: float, inner: float, keys: float) -> float:
    return hidden * decoder.hidden + inner * decoder.inner + keys * decoder.keys


def longest_row(characters: int, max_length: int) -> int:
    """Tokens of the longest row, of which only the characters are known: a token has three, the template 32 more."""
    return min(max_length, math.ceil(characters / 3) + 32)
