"""How much there is to compute for a row of a training, from settings and shape alone: only its ratios mean anything.

In multiply-adds of a large matrix product on CPU. The constants were set by the CPU time of some fifteen settings of
one small model; what a device does otherwise, its finished runs set right, those with like settings most.
"""

from app.launch.launch_facts import Linear, ModelShape, adapted_layers
from app.launch.passes import Lengths, Passes
from app.run_config import RunConfig

# A number that passes through a layer once, beside its products: norms, activations, copies.
TOUCHED = 110.0
# The same of the input of a layer with an adapter: what dropout and the second path cost, fused and as peft does it.
ADAPTED, ADAPTED_BY_PEFT, DROPPED, DROPPED_BY_PEFT = 30.0, 70.0, 120.0, 230.0
# An adapter's products are narrow, and attention's are in small blocks: slower than the base's.
NARROW, ATTENTION = 0.9, 4.0
# A 4-bit or 8-bit weight, made whole once a pass and direction; and what a layer costs a pass however small it is.
WHOLE, CALLED = {"nf4": 20.0, "fp4": 20.0, "int8": 20.0, "none": 0.0}, 1.2e7
# DoRA measures each weight together with its adapter: so much a weight and pass, in so many operations.
WEIGHED, WEIGHED_CALLS = 120.0, 3


def of_a_row(config: RunConfig, shape: ModelShape, lengths: Lengths, passes: Passes, *, recompute: bool) -> float:
    """Forward and backward over one row, with its share of what each pass costs."""
    again = 1 if recompute else 0
    adapted = adapted_layers(config.lora, shape)
    of_a_token = (
        sum(linear.inputs * linear.outputs for linear in shape.linears) * (2 + again)
        + sum((linear.inputs + linear.outputs) for linear in shape.linears) * TOUCHED * (2 + again) / 2
        + _adapter(config, adapted, again)
    )
    of_a_pass = sum(_called(config, linear) for linear in shape.linears) * (2 + again)
    of_a_pass += sum(_weighed(layer) for layer in adapted) * (1 + again) if config.lora.use_dora else 0
    beside = _attention(shape, lengths, again) + _head(config, shape, lengths)
    return passes.computed * of_a_token + beside + of_a_pass / passes.rows


def _adapter(config: RunConfig, adapted: list[Linear], again: int) -> float:
    lora = config.lora
    products = lora.r * NARROW * (3 + again)
    fused = lora.fused and not lora.use_dora
    touched = ADAPTED if fused else ADAPTED_BY_PEFT
    if lora.lora_dropout:
        touched += DROPPED if fused else DROPPED_BY_PEFT
    made = sum(products * (layer.inputs + layer.outputs) + touched * layer.inputs for layer in adapted)
    if lora.use_dora and lora.lora_dropout:  # the base's product again, of what was not dropped
        made += sum(layer.inputs * layer.outputs for layer in adapted) * (2 + again)
    return made


def _called(config: RunConfig, linear: Linear) -> float:
    return linear.inputs * linear.outputs * WHOLE[config.quantization.method] + CALLED


def _weighed(layer: Linear) -> float:
    return layer.inputs * layer.outputs * WEIGHED + WEIGHED_CALLS * CALLED


def _attention(shape: ModelShape, lengths: Lengths, again: int) -> float:
    if shape.decoder is None:
        return 0.0
    squares = lengths.mean**2 + (lengths.longest - lengths.mean) ** 2 / 4
    return squares * shape.decoder.hidden * shape.decoder.layers * ATTENTION * (3 + again)


def _head(config: RunConfig, shape: ModelShape, lengths: Lengths) -> float:
    if shape.decoder is None:
        return 0.0
    share = lengths.scored if config.training.logits == "scored" else 1.0
    return 3 * share * lengths.mean * shape.decoder.hidden * shape.decoder.vocabulary
