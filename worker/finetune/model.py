"""The base model: checked, loaded from safetensors on disk, quantised, and held against a reference."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import prepare_model_for_kbit_training
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from app.config_sections import QuantizationConfig
from worker.finetune.errors import FinetuneError, explained
from worker.finetune.quantization import bitsandbytes_config, disarm_repacking, whole_layers, wrong_layers
from worker.finetune.tokenizer import LOCAL


@dataclass(frozen=True)
class Base:
    model: Any  # a PreTrainedModel, frozen, on its device
    dtype: torch.dtype  # of computation
    device: torch.device
    stop_ids: tuple[int, ...]  # tokens that end an answer
    wrong_modules: tuple[str, ...] = ()  # whose quantised form was wrong, and which are kept whole
    skipped_modules: tuple[str, ...] = ()  # these and the output layer, as bitsandbytes was told; empty: its default


def load_config(path: Path) -> Any:
    """The model's configuration; raises FinetuneError for a folder that holds no usable causal language model."""
    if not (path / "config.json").is_file():
        raise FinetuneError(
            "model_not_found",
            "Base model not found",
            "Its folder is missing or has no config.json.",
            "Give a hub id, or a folder with config.json, a tokenizer and *.safetensors.",
        )
    if not any(path.glob("*.safetensors")):
        raise FinetuneError(
            "not_safetensors",
            "Base model is not in safetensors",
            "Its folder has no *.safetensors file; other formats can run code when they are read.",
            "Choose a revision of the model that is published as safetensors, or convert it first.",
        )
    try:
        config = AutoConfig.from_pretrained(path, **LOCAL)
    except ValueError as error:
        raise _not_causal(str(error).splitlines()[0]) from error
    architectures = config.architectures or []
    if config.is_encoder_decoder or not set(architectures) & set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()):
        raise _not_causal(f"It says that it is {', '.join(architectures) or config.model_type}.")
    return config


def _not_causal(detail: str) -> FinetuneError:
    hint = "Choose a model whose architecture ends in ForCausalLM (Llama, Gemma, Phi, Qwen, Mistral, ...)."
    return FinetuneError("not_causal_lm", "Base model is not a causal language model", detail, hint)


def context_length(config: Any) -> int | None:
    """Positions that the model was built for; None where its architecture knows no limit."""
    return getattr(config, "max_position_embeddings", None)


def check_context(config: Any, max_length: int) -> None:
    context = context_length(config)
    if context is not None and max_length > context:
        raise FinetuneError(
            "context_too_short",
            "Rows may be longer than the model can read",
            f"data.max_length is {max_length} tokens; the base model has a context of {context}.",
            f"Set data.max_length to {context} or less.",
        )


def load_base(
    path: Path, quantization: QuantizationConfig, *, dtype: torch.dtype, device: torch.device, stop_ids: tuple[int, ...]
) -> Base:
    """Load, quantise, check every quantised layer, keep wrong ones whole, freeze."""
    with explained("loading the base model"):
        model = _load(path, quantization, dtype, device, skip=None)
        wrong = wrong_layers(model)
        skipped = [*whole_layers(model), *wrong] if wrong else []
        if skipped:
            model = _load(path, quantization, dtype, device, skip=skipped)
            if still := wrong_layers(model):
                raise _cannot_quantise(still, quantization.method)
        if quantization.method == "none":
            model.requires_grad_(False)
        else:
            model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    # Sampling settings that come with a model must not reach greedy decoding.
    model.generation_config = GenerationConfig()
    model.config.use_cache = False
    return Base(model.eval(), dtype, device, stop_ids, tuple(wrong), tuple(skipped))


def _cannot_quantise(layers: list[str], method: str) -> FinetuneError:
    return FinetuneError(
        "quantization_not_exact",
        "Quantisation gives wrong weights",
        f"{len(layers)} layers, {layers[0]} first, do not come back as they were stored with {method}.",
        "Choose quantization.method none, and report the model and the versions that the run's log lists.",
    )


def _load(
    path: Path, quantization: QuantizationConfig, dtype: torch.dtype, device: torch.device, *, skip: list[str] | None
) -> Any:
    # On CPU weights are held in float32 whatever the compute type: autocast rounds, the stored numbers do not.
    held = dtype if device.type == "cuda" else torch.float32
    options: dict[str, Any] = {"dtype": held, "device_map": {"": str(device)}, "use_safetensors": True}
    config = bitsandbytes_config(quantization, dtype, skip)
    if config is not None:
        options["quantization_config"] = config
    try:
        model: nn.Module = AutoModelForCausalLM.from_pretrained(path, **options, **LOCAL)
    except OSError as error:
        raise FinetuneError(
            "model_not_found",
            "The base model's weights cannot be read",
            str(error).splitlines()[0],
            "Check that every *.safetensors file of the model is there and whole.",
        ) from error
    disarm_repacking(model)
    return model
