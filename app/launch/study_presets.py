"""Studies to launch in one action, on any base and data set. Pure: what they set goes through app.sweep.named.

The reference study varies one thing at a time around a baseline, and leaves out 4-bit once, for the memory table.
Tiny bases need larger learning rates: `learning_rate_factor` moves all of them together.
"""

from typing import Any

from app.run_config import RunConfig, value_text

LR, BATCH, EPOCHS = "training.learning_rate", "training.per_device_train_batch_size", "training.num_train_epochs"
R, ALPHA, QUANTIZATION = "lora.r", "lora.lora_alpha", "quantization.method"

# What the baseline states; effective batch size 16. Steps would win over epochs, so there are none.
BASELINE: dict[str, Any] = {
    LR: 2e-4,
    BATCH: 4,
    "training.gradient_accumulation_steps": 4,
    R: 8,
    ALPHA: 16,
    EPOCHS: 3.0,
    "training.max_steps": None,
    QUANTIZATION: "nf4",
}

Runs = list[tuple[str, str, dict[str, Any]]]


def reference_study(base: RunConfig, learning_rate_factor: float = 1.0) -> Runs:
    """Eight runs as (name, notes, what it sets); of `base` the rest counts: model, data, evaluation and all others."""

    def rate(value: float) -> float:
        return float(f"{value * learning_rate_factor:.6g}")

    start = BASELINE | {LR: rate(BASELINE[LR])}
    if base.quantization.method == "fp4":
        start[QUANTIZATION] = "fp4"  # 4-bit already: as the base has it
    changes: Runs = [
        ("Baseline", "Initial configuration, effective batch size 16", {}),
        ("Exp 1", f"Lower learning rate: {value_text(rate(1e-4))}", {LR: rate(1e-4)}),
        ("Exp 2", f"Higher learning rate: {value_text(rate(5e-4))}", {LR: rate(5e-4)}),
        ("Exp 3", "Smaller batch: 2, so the effective batch size is 8", {BATCH: 2}),
        ("Exp 4", "Lower rank: 4, alpha with it", {R: 4, ALPHA: 8}),
        ("Exp 5", "Higher rank: 16, alpha with it", {R: 16, ALPHA: 32}),
        ("Exp 6", "More epochs: 5", {EPOCHS: 5.0}),
        ("Without 4-bit", "The baseline with a whole base, for the memory table", {QUANTIZATION: "none"}),
    ]
    return [(name, notes, start | change) for name, notes, change in changes]
