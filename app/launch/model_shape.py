"""The size of a base model, read from the headers of its safetensors files: no weight is loaded.

https://huggingface.co/docs/safetensors: 8 bytes of length, then JSON of that length with name, dtype and shape.
"""

import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.launch.launch_facts import Decoder, Linear, ModelShape

# Parts of names by which architectures call their embeddings and output layers.
NOT_ADAPTED = ("embed", "wte", "wpe", "lm_head")
MAX_HEADER_BYTES = 100_000_000


def read(folder: Path) -> ModelShape | None:
    """None where the files cannot tell: they are not there, damaged, or hold weights that are already quantised."""
    try:
        tensors = dict(_tensors(folder))
        config = json.loads((folder / "config.json").read_text("utf-8"))
        transposed = config.get("model_type") == "gpt2"
    except (OSError, ValueError, KeyError, struct.error):
        return None
    weights = {n: shape for n, shape in tensors.items() if len(shape) <= 2 and n.endswith((".weight", ".bias"))}
    linears = tuple(
        _linear(name, shape[::-1] if transposed else shape, tensors)
        for name, shape in weights.items()
        if len(shape) == 2 and not any(part in name for part in NOT_ADAPTED)
    )
    biases = sum(math.prod(shape) for name, shape in weights.items() if name.endswith(".bias"))
    return ModelShape(sum(map(math.prod, weights.values())), biases, linears, _decoder(config)) if linears else None


def _decoder(config: dict[str, Any]) -> Decoder | None:
    """By the names that most architectures share, or GPT-2's; None where they say too little."""
    hidden, layers = (_size(config, *names) for names in (("hidden_size", "n_embd"), ("num_hidden_layers", "n_layer")))
    vocabulary, heads = _size(config, "vocab_size"), _size(config, "num_attention_heads", "n_head")
    if not (hidden and layers and vocabulary and heads):
        return None
    inner = _size(config, "intermediate_size", "n_inner") or 4 * hidden
    width = _size(config, "head_dim") or hidden // heads
    return Decoder(
        layers,
        hidden,
        inner,
        width * (_size(config, "num_key_value_heads") or heads),
        vocabulary,
        config.get("model_type", ""),
    )


def _size(config: dict[str, Any], *names: str) -> int:
    return next((config[name] for name in names if isinstance(config.get(name), int)), 0)


def _tensors(folder: Path) -> Iterator[tuple[str, list[int]]]:
    for path in sorted(folder.glob("*.safetensors")):
        for name, entry in _header(path).items():
            if name != "__metadata__":
                yield name, [int(size) for size in entry["shape"]]


def _header(path: Path) -> dict[str, dict[str, list[int]]]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > MAX_HEADER_BYTES:
            raise ValueError(f"{path.name} is not a safetensors file")
        header: dict[str, dict[str, list[int]]] = json.loads(file.read(length))
    return header


def _linear(name: str, shape: list[int], tensors: dict[str, list[int]]) -> Linear:
    module = name.removesuffix(".weight")
    outputs, inputs = shape
    return Linear(module.rpartition(".")[2], inputs, outputs, math.prod(tensors.get(f"{module}.bias", [0])))
