"""Where a launch may start from: a few settings each, the rest as by default."""

from dataclasses import dataclass
from typing import Any

from app.launch import study_presets


@dataclass(frozen=True)
class Preset:
    """`values` go by dotted name."""

    name: str
    label: str
    help: str
    values: dict[str, Any]
    study: float | None = None  # the reference study, its learning rates times this


SAMPLE_SCALE: dict[str, Any] = {
    "model.base_model": "sample/clinic-2m",
    "data.max_train_rows": 300,
    "evaluation.max_eval_rows": 100,
    "evaluation.max_new_tokens": 64,
}

# The first one is what the form opens with.
PRESETS: tuple[Preset, ...] = (
    Preset(
        "tinyllama",
        "TinyLlama on one GPU",
        "1.1 billion parameters in 4 bits: about 3 GB of GPU memory.",
        {"model.base_model": "TinyLlama/TinyLlama-1.1B-Chat-v1.0"},
    ),
    Preset(
        "sample",
        "Sample, one minute on CPU",
        "The bundled base model and 300 rows: for trying the software without a GPU or a download.",
        {**SAMPLE_SCALE, "training.learning_rate": 4e-3},
    ),
    Preset(
        "low_memory",
        "Low memory",
        "One row at a time, activations recomputed, optimizer state in 8 bits: slower, and fits where others do not.",
        {
            "model.base_model": "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
            "training.per_device_train_batch_size": 1,
            "training.gradient_accumulation_steps": 16,
            "training.gradient_checkpointing": True,
            "training.optim": "paged_adamw_8bit",
        },
    ),
    Preset(
        "reference",
        "Reference study",
        "Eight runs on your base and data: a baseline, then learning rate, batch size, rank, epochs and 4-bit, one "
        "at a time.",
        {"model.base_model": "TinyLlama/TinyLlama-1.1B-Chat-v1.0", **study_presets.BASELINE},
        study=1.0,
    ),
    Preset(
        "reference_sample",
        "Reference study at sample scale",
        "The same eight runs on the bundled base and 300 rows; learning rates are ten times larger, because the base "
        "is tiny.",
        {
            **SAMPLE_SCALE,
            **study_presets.BASELINE,
            "training.learning_rate": 10 * study_presets.BASELINE["training.learning_rate"],
        },
        study=10.0,
    ),
)
