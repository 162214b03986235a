"""What it takes to run this again: versions, device, threads, and the hashes of what went in."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from app import __version__
from worker.finetune.device import device_name
from worker.finetune.preparing import Prepared

_PACKAGES = (
    "torch", "transformers", "peft", "bitsandbytes", "accelerate", "tokenizers", "safetensors", "evaluate",
    "sacrebleu", "rouge_score", "numpy",
)  # fmt: skip


def environment(job: Prepared, model_commit: str | None, batch_divisor: int) -> dict[str, Any]:
    base = job.base
    return {
        "tuneboard": __version__,
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "device": device_name(base.device),
        "threads": torch.get_num_threads(),
        "compute_dtype": str(base.dtype).removeprefix("torch."),
        "model_commit": model_commit,
        "hashes": job.hashes,
        "prompt_template": job.template.kind,
        "gradient_checkpointing": job.recompute,
        "paths": job.paths.said,  # itself: what is noted later is in it
        **({"batch_divisor": batch_divisor} if batch_divisor > 1 else {}),
        "quantization": {
            "method": job.config.quantization.method,
            # BitsAndBytesConfig(llm_int8_skip_modules=...) of whoever loads the base as this run did; null: the default
            "skipped_modules": list(base.skipped_modules) or None,
        },
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
