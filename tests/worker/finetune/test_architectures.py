"""The architectures that people fine-tune, each at a tiny random size, in 4 bits, through a whole run."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.finetune.pipeline import finetune

# What differs from the Llama that the fixture makes.
SHAPES: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": None},
    "qwen2": {"head_dim": "default"},
    "qwen3": {},
    "gemma": {},
    "gemma2": {"query_pre_attn_scalar": 16},
    "phi": {"head_dim": "default", "num_key_value_heads": 4},
    "phi3": {"head_dim": "default"},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "gpt_neox": {"head_dim": "default"},
}


@pytest.mark.parametrize("kind", SHAPES)
def test_it_trains_in_4_bits_on_all_linear_layers(
    kind: str, make_model: Callable[..., Path], rows: Path, make_config: Any, recording: Any, tmp_path: Path
) -> None:
    model = make_model(kind, **SHAPES[kind])
    reporter = recording()
    config = make_config(training__num_train_epochs=2, evaluation__max_eval_rows=4)
    outcome = finetune(config, model_path=model, rows_path=rows, output_dir=tmp_path, reporter=reporter)
    assert outcome.results["improvement"]["perplexity"] < -0.05
    assert reporter.warnings == []
    with zipfile.ZipFile(tmp_path / "artifacts/adapter.zip") as archive:
        targets = json.loads(archive.read("adapter_config.json"))["target_modules"]
    assert len(targets) >= 2


@pytest.mark.parametrize(
    "lora",
    [
        {"lora__use_dora": True},
        {"lora__use_rslora": True},
        {"lora__bias": "all"},
        {"lora__bias": "lora_only"},
        {"lora__target_modules": ["q_proj", "down_proj"]},
    ],
    ids=str,
)
def test_every_variant_of_lora_trains(lora: Any, make_model: Any, rows: Path, make_config: Any, tmp_path: Path) -> None:
    model = make_model(attention_bias=True)
    from worker.finetune.reporter import Silent

    outcome = finetune(make_config(**lora), model_path=model, rows_path=rows, output_dir=tmp_path, reporter=Silent())
    assert outcome.results["improvement"]["perplexity"] < -0.005
