"""The LoRA adapter: attached to a base, and carried as peft's own files."""

import warnings
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch import nn
from transformers.pytorch_utils import Conv1D

from app.run_config import RunConfig
from worker.finetune import fused_lora
from worker.finetune.errors import FinetuneError

Tensors = dict[str, torch.Tensor]


def lora_config(config: RunConfig) -> LoraConfig:
    """peft's configuration; the base is named by its id, never by where it lies on this machine."""
    lora = config.lora
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.lora_alpha,
        lora_dropout=lora.lora_dropout,
        target_modules=lora.target_modules,
        bias=lora.bias,
        use_rslora=lora.use_rslora,
        use_dora=lora.use_dora,
        task_type="CAUSAL_LM",
        base_model_name_or_path=config.model.base_model,
        revision=config.model.revision,
    )


def attach(model: Any, config: RunConfig) -> Any:
    """Wrap the base in place with a fresh adapter, drawn from the run's seed whatever was computed before."""
    names = linear_names(model)
    check_targets(names, config.lora.target_modules)
    torch.manual_seed(config.training.seed)
    worn = wrap(model, lora_config(config))
    if config.lora.fused:
        fused_lora.fuse(worn)
    return worn


def wrap(model: Any, peft_config: LoraConfig) -> Any:
    """peft's get_peft_model, for a base that goes by its id."""
    model.name_or_path = peft_config.base_model_name_or_path
    peft_config.fan_in_fan_out = any(type(m) is Conv1D for m in model.modules())  # GPT-2's layers, when not quantised
    with warnings.catch_warnings():
        # peft asks the model for an attribute that transformers is renaming.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        return get_peft_model(model, peft_config)


def linear_names(model: nn.Module) -> set[str]:
    """Last parts of the names of all layers that an adapter can stand on (q_proj, fc1, ...)."""
    return {name.rpartition(".")[2] for name, m in model.named_modules() if isinstance(m, (nn.Linear, Conv1D))}


def check_targets(names: set[str], targets: str | list[str]) -> None:
    if targets == "all-linear":
        return
    unknown = [target for target in targets if target.rpartition(".")[2] not in names]
    if unknown:
        raise FinetuneError(
            "bad_target_modules",
            "Target modules are not in the model",
            f"The base model has no linear layer named {', '.join(unknown)}.",
            f"It has {', '.join(sorted(names))}; or set lora.target_modules to all-linear.",
        )


def adapter_state(model: Any) -> Tensors:
    """The adapter's tensors under peft's names, copied to the CPU."""
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}


def restore_adapter(model: Any, state: Tensors) -> None:
    set_peft_model_state_dict(model, state)


def adapter_json(model: Any) -> dict[str, Any]:
    """adapter_config.json, in an order that does not change from run to run."""
    values = {**model.peft_config["default"].to_dict(), "inference_mode": True}
    return {name: sorted(value) if isinstance(value, set) else value for name, value in sorted(values.items())}
