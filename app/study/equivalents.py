"""Settings that differ in name and not in effect: said before a launch, so that nobody waits for a difference.

Each rule brings a setting to one form where it makes no difference; configurations whose forms are equal train the
same weights, apart from rounding. tests/worker/finetune/test_axes.py trains each claimed pair and compares.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.run_config import RunConfig, flatten
from app.study.findings import COST_ONLY
from app.sweep import Variant

Flat = dict[str, Any]

OPTIM, SCHEDULE, WARMUP = "training.optim", "training.lr_scheduler_type", "training.warmup_steps"
SAME_ADAMW = ("adamw_torch", "adamw_torch_fused", "paged_adamw_32bit")
PAGED = {"paged_adamw_8bit": "adamw_bnb_8bit"}


def _optimizer(flat: Flat) -> Flat:
    name = PAGED.get(flat[OPTIM], flat[OPTIM])
    if name in SAME_ADAMW or (name == "adam" and flat["training.weight_decay"] == 0):
        name = "adamw_torch"
    return {OPTIM: name}


def _schedule(flat: Flat) -> Flat:
    name = flat[SCHEDULE]
    if name == "cosine_with_restarts":
        return {SCHEDULE: "cosine"}
    if name == "constant_with_warmup" and flat[WARMUP] == 0:
        return {SCHEDULE: "constant", WARMUP: 0}
    return {WARMUP: 0} if name == "constant" else {}


def _scale(flat: Flat) -> Flat:
    """The adapter's factor stands for alpha and rsLoRA together."""
    r, alpha = flat["lora.r"], flat["lora.lora_alpha"]
    scale = alpha / math.sqrt(r) if flat["lora.use_rslora"] else alpha / r
    return {"lora.lora_alpha": round(scale, 9), "lora.use_rslora": False}


def _quantization(flat: Flat) -> Flat:
    return {} if flat["quantization.method"] in ("nf4", "fp4") else {"quantization.double_quant": False}


def _length(flat: Flat) -> Flat:
    return {} if flat["training.max_steps"] is None else {"training.num_train_epochs": None}


def _cost(flat: Flat) -> Flat:
    chooses = flat["training.load_best_model_at_end"] or flat["training.early_stopping_patience"] is not None
    return {name: None for name in COST_ONLY if not (chooses and name == "training.eval_steps")}


# Each rule with what it says of settings that it makes equal.
RULES: Mapping[str, Callable[[Flat], Flat]] = {
    "32-bit AdamW of any kind, and Adam without weight decay, take the same steps; paging is about memory": _optimizer,
    "one cycle of cosine with restarts is cosine, and without warm-up both kinds of constant are one": _schedule,
    "alpha and rsLoRA only set the factor of the adapter, and that is the same": _scale,
    "double quantisation is for 4-bit only": _quantization,
    "max steps wins over epochs": _length,
    "it changes time and memory, not what is learnt": _cost,
}


def notes(variants: Sequence[Variant]) -> list[str]:
    """A sentence for each set of runs that will train alike, with the reason."""
    groups: dict[str, list[Variant]] = {}
    for variant in variants:
        groups.setdefault(repr(sorted(effect(variant.config).items())), []).append(variant)
    return [_sentence(group) for group in groups.values() if len(group) > 1]


def effect(config: RunConfig) -> Flat:
    """The settings that decide what is learnt; equal for two configurations that train alike."""
    flat = flatten(config.model_dump())
    return flat | {name: value for rule in RULES.values() for name, value in rule(flat).items()}


def _sentence(group: Sequence[Variant]) -> str:
    names = [variant.name for variant in group]
    flats = [flatten(variant.config.model_dump()) for variant in group]
    differing = {name for name in flats[0] if any(flat[name] != flats[0][name] for flat in flats)}
    reasons = [reason for reason, rule in RULES.items() if any(differing & rule(flat).keys() for flat in flats)]
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    why = "; ".join(reasons) or "all their settings are equal"
    return f"{listed} are identical in effect: {why}."
