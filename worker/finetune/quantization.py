"""Quantised layers: how they are asked for, held against a reference, and turned back into plain ones.

bitsandbytes has two faults on CPU that raise no error. Its dequantiser returns wrong weights where a layer's width is
no multiple of the block size; and in evaluation a layer repacks itself in place to a form without gradients. The
first is found by `wrong_layers`, which every load goes through; the second is switched off by `disarm_repacking`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import bitsandbytes as bnb
import torch
from torch import nn
from transformers import BitsAndBytesConfig

from app.config_sections import QuantizationConfig

Quantised = bnb.nn.Linear4bit | bnb.nn.Linear8bitLt

# How far a dequantised weight may lie from the reference: rounding to the compute type, never a wrong block scale.
RELATIVE, OF_LARGEST = 1e-2, 1e-3


def bitsandbytes_config(
    config: QuantizationConfig, dtype: torch.dtype, skip: Sequence[str] | None
) -> BitsAndBytesConfig | None:
    """None for `none`. `skip` names the layers to keep whole; None leaves the choice (the output layer) to
    transformers."""
    skipped = list(skip) if skip is not None else None
    if config.method == "none":
        return None
    if config.method == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skipped)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=config.method,
        bnb_4bit_use_double_quant=config.double_quant,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=skipped,
    )


def quantised_layers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, module in model.named_modules():
        if isinstance(module, Quantised):
            yield name, module


def disarm_repacking(model: nn.Module) -> None:
    """Keep evaluation on the arithmetic of training: the packed form of AVX512-BF16 passes no gradient back."""
    for _, layer in quantised_layers(model):
        if isinstance(layer, bnb.nn.Linear4bit):
            layer.support_avx512bf16_for_cpu = False


def whole_layers(model: nn.Module) -> list[str]:
    """Linear layers that a quantised load left whole."""
    return [name for name, m in model.named_modules() if type(m) is nn.Linear]


def wrong_layers(model: nn.Module) -> list[str]:
    """Names of quantised layers whose dequantised weights, or whose outputs, differ from the reference's."""
    return [name for name, layer in quantised_layers(model) if not _is_right(layer)]


@torch.no_grad()
def _is_right(layer: Any) -> bool:
    reference = reference_weight(layer)
    if not _close(dequantise(layer), reference):
        return False
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(3, layer.in_features, generator=generator).to(reference.device)
    expected = probe @ reference.T + (0 if layer.bias is None else layer.bias.float())
    error = (layer(probe).float() - expected).norm() / expected.norm().clamp_min(1e-12)
    return bool(error < 0.05)  # int8 rounds its inputs too; a wrong weight is off by 0.5 and more


def _close(weight: torch.Tensor, reference: torch.Tensor) -> bool:
    largest = float(reference.abs().max())
    return torch.allclose(weight.float(), reference, rtol=RELATIVE, atol=OF_LARGEST * largest)


def dequantise(layer: Any) -> torch.Tensor:
    """The layer's weight, (out_features, in_features), as bitsandbytes computes it."""
    if isinstance(layer, bnb.nn.Linear4bit):
        weight: torch.Tensor = bnb.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    else:
        weight = bnb.functional.int8_vectorwise_dequant(*_int8_parts(layer))
    return weight


def reference_weight(layer: Any) -> torch.Tensor:
    """The same weight in float32 from plain torch operations alone, after the format's definition."""
    if isinstance(layer, bnb.nn.Linear4bit):
        return _reference_4bit(layer.weight.data, layer.weight.quant_state)
    codes, scales = _int8_parts(layer)
    return codes.float() * (scales.float() / 127).unsqueeze(1)


def _int8_parts(layer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes and row scales: held by the weight until the first forward pass, by the layer's state after it."""
    if layer.weight.SCB is not None:
        return layer.weight.data, layer.weight.SCB
    return layer.state.CB, layer.state.SCB


def _reference_4bit(packed: torch.Tensor, state: Any) -> torch.Tensor:
    """Two codes a byte, high half first, each times the largest absolute value of its block."""
    scales = state.absmax
    if state.nested:
        scales = _blocks(state.state2.code[scales.int()], state.state2.absmax, state.state2.blocksize) + state.offset
    data = packed.reshape(-1).view(torch.uint8)
    codes = torch.stack((data >> 4, data & 15), dim=1).reshape(-1)
    size = state.shape.numel()
    return _blocks(state.code.float()[codes[:size].int()], scales.float(), state.blocksize).reshape(state.shape)


def _blocks(values: torch.Tensor, scales: torch.Tensor, size: int) -> torch.Tensor:
    return values * scales.repeat_interleave(size)[: values.numel()]


@torch.no_grad()
def dequantised(model: Any, dtype: torch.dtype) -> Any:
    """The model, changed in place: plain layers of the same weights instead of quantised ones."""
    for name, layer in list(quantised_layers(model)):
        model.set_submodule(name, _plain(layer, dtype))
    model.is_loaded_in_4bit = model.is_loaded_in_8bit = model.is_quantized = False
    model.quantization_method = model.hf_quantizer = None
    return model.to(dtype).eval()


def _plain(layer: Any, dtype: torch.dtype) -> nn.Linear:
    has_bias = layer.bias is not None
    linear = nn.Linear(layer.in_features, layer.out_features, bias=has_bias, device="meta")
    linear.weight = nn.Parameter(dequantise(layer).to(dtype), requires_grad=False)
    if has_bias:
        linear.bias = nn.Parameter(layer.bias.detach().to(dtype), requires_grad=False)
    return linear
