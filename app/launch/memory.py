"""What training takes in memory, from the shape of a base model and the settings alone. Pure arithmetic.

The figures are bytes that torch has at the peak of a forward and backward pass, counted over models of several widths
of each architecture: what they keep for the backward pass is linear in them.
tests/worker/finetune/test_memory_forecast.py holds the sums against torch's own count.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.config_sections import LoraConfig, QuantizationConfig, TrainingConfig
from app.launch.launch_facts import ModelShape, adapted_layers, trainable_parameters
from app.run_config import RunConfig


@dataclass(frozen=True)
class Kept:
    """Bytes of a token for each number of the hidden and of the inner width: what a layer keeps until its backward
    pass, and what is there beside it, once, while one layer is computed backwards."""

    hidden: float
    inner: float
    beside_hidden: float
    beside_inner: float


# By `model_type`, in 32 and in 16 bits; what is not listed is taken for a Llama.
LLAMA = Kept(34.0, 17.2, 11.0, 4.8), Kept(30.6, 15.3, 10.8, 6.8)
KEPT: Mapping[str, tuple[Kept, Kept]] = {
    "qwen3": (Kept(41.4, 17.5, 13.1, 4.0), Kept(38.0, 15.5, 13.0, 6.0)),
    "gemma2": (Kept(54.6, 18.0, 16.5, 1.4), Kept(50.6, 15.4, 16.6, 4.3)),
    "phi": (Kept(26.6, 21.0, 8.3, 5.4), Kept(25.5, 18.9, 9.0, 7.6)),
    "phi3": (Kept(41.3, 17.5, 13.1, 4.0), Kept(26.1, 14.7, 10.0, 8.5)),
    "gpt2": (Kept(65.5, 22.5, 19.3, 0.6), Kept(58.2, 18.8, 19.2, 5.7)),
    "gpt_neox": (Kept(40.2, 8.5, 12.8, 1.3), Kept(24.4, 5.8, 10.0, 7.1)),
}
# Of the logits, for each entry of the vocabulary. Of scored tokens: themselves, their logarithms and their gradient.
# Where logits are computed of all tokens, these as well; and in 16 bits, once, the output layer's own copy.
SCORED, ALL = 12, {False: (4, 8), True: (2, 10)}
# Where nothing is kept for a backward pass: of a token for each number of both widths, and of the vocabulary.
WITHOUT_BACKWARD = {False: (16, 12, 8), True: (16, 16, 10)}
# Logits that are there at once, as bytes of themselves: beyond that they are computed in chunks (worker.finetune.head).
AT_ONCE = {False: 64 * 2**20, True: 512 * 2**20}
# Of the input of an adapted layer: where dropout is drawn by place, as a mask, and as peft computes it.
PLACES, MASK, BY_PEFT = 8, 1, 5.4
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
class Pass:
    """The largest forward pass: its tokens, padding included, those that the loss counts, those of its longest row."""

    tokens: int
    scored: int
    longest: int

    @classmethod
    def of_rows(cls, rows: int, longest: int) -> "Pass":
        """At most: all as long as the longest, and all of it counted."""
        return cls(rows * longest, rows * longest, longest)


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


def training(
    config: RunConfig,
    shape: ModelShape,
    largest: Pass,
    *,
    on_gpu: bool,
    recompute: bool,
    evaluated: Pass | None = None,
) -> Memory | None:
    """With the largest pass that there will be, and that of evaluations on the way; None for a shape that says too
    little.

    `recompute`: activations are computed again in the backward pass, but for what lies between layers.
    """
    if shape.decoder is None:
        return None
    half = is_half(config.quantization, on_gpu=on_gpu)
    layers = shape.decoder.layers
    kept = layer(shape, half=half) + adapter(config.lora, shape, half=half, on_gpu=on_gpu) / layers
    waiting = layers * (4 * shape.decoder.hidden if recompute else kept)
    # Logits are gone before the first layer is computed backwards: what is larger makes the peak.
    beside = largest.tokens * (beside_layer(shape, half=half) + (kept if recompute else 0))
    head = logits(config.training, shape, largest, half=half, on_gpu=on_gpu)
    computed = largest.tokens * waiting + (beside if beside > head else 0), 0 if beside > head else head
    if evaluated is not None:
        computed = max(computed, scoring(config.training, shape, evaluated, half=half, on_gpu=on_gpu), key=sum)
    return Memory(
        weights=round(weights(config.quantization, shape, on_gpu=on_gpu)),
        adapter=trainable_parameters(config.lora, shape) * (TRAINED + MOMENTS.get(config.training.optim, ADAM)),
        activations=round(computed[0]),
        logits=round(computed[1]),
    )


def scoring(
    training: TrainingConfig, shape: ModelShape, evaluated: Pass, *, half: bool, on_gpu: bool
) -> tuple[float, float]:
    """Bytes of a pass without a backward one: of one layer, and of the logits."""
    assert shape.decoder is not None
    hidden, inner, of_scored = WITHOUT_BACKWARD[half]
    scored = evaluated.scored
    if training.logits == "scored":
        scored = min(scored, AT_ONCE[on_gpu] // (4 * shape.decoder.vocabulary))
    layer = evaluated.tokens * (hidden * shape.decoder.hidden + inner * shape.decoder.inner)
    return layer, of_scored * shape.decoder.vocabulary * scored


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


def layer(shape: ModelShape, *, half: bool) -> float:
    """Bytes of a token that a layer without adapter keeps for its backward pass."""
    kept = _kept(shape, half=half)
    return kept.hidden * _widths(shape)[0] + kept.inner * _widths(shape)[1]


def beside_layer(shape: ModelShape, *, half: bool) -> float:
    """Bytes of a token that come and go while one layer is computed backwards."""
    kept = _kept(shape, half=half)
    return kept.beside_hidden * _widths(shape)[0] + kept.beside_inner * _widths(shape)[1]


def adapter(lora: LoraConfig, shape: ModelShape, *, half: bool, on_gpu: bool) -> float:
    """Bytes of a token that the adapter keeps, in all layers: the product with its first matrix, and the drops."""
    adapted = adapted_layers(lora, shape)
    inputs = sum(linear.inputs for linear in adapted)
    if not lora.lora_dropout:
        dropped = 0.0
    elif not lora.fused or lora.use_dora:
        dropped = BY_PEFT
    else:
        dropped = MASK if on_gpu else PLACES * lora.lora_dropout
    return dropped * inputs + (2 if half else 4) * lora.r * len(adapted)


def logits(training: TrainingConfig, shape: ModelShape, largest: Pass, *, half: bool, on_gpu: bool) -> float:
    """Bytes at the head of the model, where its logits are and their gradients come to be."""
    assert shape.decoder is not None
    vocabulary = shape.decoder.vocabulary
    copy = 2 * vocabulary * shape.decoder.hidden if half else 0
    if training.logits == "scored":
        return copy + SCORED * vocabulary * min(largest.scored, AT_ONCE[on_gpu] / (4 * vocabulary))
    of_all, of_scored = ALL[half]
    return copy + vocabulary * (of_all * largest.tokens + of_scored * largest.scored)


def _kept(shape: ModelShape, *, half: bool) -> Kept:
    assert shape.decoder is not None
    return KEPT.get(shape.decoder.kind, LLAMA)[half]


def _widths(shape: ModelShape) -> tuple[int, int]:
    assert shape.decoder is not None
    return shape.decoder.hidden, shape.decoder.inner
