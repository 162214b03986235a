"""What is trained in the comparisons: the sample, and a real pretrained model with real pairs where they are there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.settings import ROOT, SAMPLES

SHARED = ROOT.parent / "shared"
LORA = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.05}


@dataclass(frozen=True)
class Case:
    name: str
    model: Path
    dataset: Path
    learning_rate: float
    steps: int  # optimizer steps of one batch of 4
    eval_rows: int
    new_tokens: int = 128
    train_rows: int = 300

    @property
    def training(self) -> dict[str, Any]:
        """What both sides are told of the training; all else is left to each side's defaults."""
        return {
            "learning_rate": self.learning_rate,
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 1,
            "max_steps": self.steps,
            "lr_scheduler_type": "cosine",
            "warmup_steps": 0.03,
            "seed": 42,
        }

    @property
    def config(self) -> dict[str, Any]:
        """The same as a run's configuration. Held-out losses on the way are left out, as the other side has none."""
        return {
            "model": {"base_model": self.name},
            "lora": LORA,
            "data": {"dataset": 1, "max_length": 512, "max_train_rows": self.train_rows},
            "training": {**self.training, "eval_steps": 10**6},
            "evaluation": {"max_eval_rows": self.eval_rows, "max_new_tokens": self.new_tokens},
        }


def sample(steps: int = 60, eval_rows: int = 250, new_tokens: int = 128) -> Case:
    model, rows = SAMPLES / "models" / "clinic-2m", SAMPLES / "data" / "clinic_pairs.jsonl"
    return Case("clinic-2m", model, rows, 2e-3, steps, eval_rows, new_tokens)


def stories(steps: int = 30, eval_rows: int = 100) -> Case | None:
    """None where there is no such folder beside the checkout."""
    model, rows = SHARED / "models" / "stories260K", SHARED / "data" / "medical_pairs.jsonl"
    return Case("stories260K", model, rows, 5e-3, steps, eval_rows) if model.exists() and rows.exists() else None
