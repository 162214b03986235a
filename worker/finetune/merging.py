"""An adapter and its base as one model in 16 bits, in a folder that any program loads.

The adapter goes into the weights that it was trained on: those of the quantised base, made whole again. Into the
published ones it would not fit as well, as it has learned to make good for their rounding.
"""

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from app.run_config import RunConfig
from worker.finetune import saved_adapter
from worker.finetune.device import compute_dtype, pick_device
from worker.finetune.errors import FinetuneError
from worker.finetune.model import load_base, load_config
from worker.finetune.quantization import dequantised
from worker.finetune.tokenizer import load_tokenizer, stop_ids

# What belongs to a model beside its weights and their configuration: tokenizer, chat template, when to stop, licence.
BESIDE = ("*.json", "*.model", "*.txt", "*.jinja", "*.tiktoken", "LICENSE*", "NOTICE*")
OWN = ("config.json", "model.safetensors.index.json", "manifest.json")


def merge(config: RunConfig, *, model_path: Path, adapter: Path, folder: Path) -> torch.dtype:
    """Write the merged model into `folder`, which exists; answers the type of its weights."""
    device = pick_device()
    computed = compute_dtype(config.quantization.compute_dtype, device)
    stops = stop_ids(model_path, load_tokenizer(model_path))
    base = load_base(model_path, config.quantization, dtype=computed, device=device, stop_ids=stops)
    dtype = sixteen_bits(computed, model_path)
    model = _merged(dequantised(base.model, _held(computed, device)), saved_adapter.read(adapter), dtype)
    model.config = load_config(model_path)  # as it was published: what quantising added to it is over
    model.generation_config = GenerationConfig.from_model_config(model.config)
    model.save_pretrained(folder)
    for path in _beside(model_path):
        shutil.copyfile(path, folder / path.name)
    return dtype


def sixteen_bits(computed: torch.dtype, model_path: Path) -> torch.dtype:
    """The type that the run computed in; where that has 32 bits, the one that the base was published in."""
    published = getattr(load_config(model_path), "dtype", None)
    found = (dtype for dtype in (computed, published) if dtype in (torch.bfloat16, torch.float16))
    return next(found, torch.bfloat16)


def _held(computed: torch.dtype, device: torch.device) -> torch.dtype:
    """On CPU a base is held in 32 bits whatever it computes in (see load_base)."""
    return computed if device.type == "cuda" else torch.float32


@torch.no_grad()
def _merged(base: Any, adapter: saved_adapter.Adapter, dtype: torch.dtype) -> Any:
    """Adapters have 32 bits: each sum is made in as many, and rounded once."""
    model = saved_adapter.put_on(base, adapter).merge_and_unload().to(dtype)
    if not all(p.isfinite().all() for p in model.parameters()):
        raise FinetuneError(
            "not_in_16_bits",
            "The merged model does not fit into 16 bits",
            f"A weight is too large for {str(dtype).removeprefix('torch.')}.",
            "Use the adapter with its base, or train the run again with quantization.compute_dtype bfloat16.",
        )
    return model


def _beside(folder: Path) -> list[Path]:
    found = {path for pattern in BESIDE for path in folder.glob(pattern) if path.is_file()}
    return sorted(path for path in found if path.name not in OWN)
