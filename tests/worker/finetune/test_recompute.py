"""A run's results computed again from its artifacts (tests/outside.py)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.outside import check
from worker.finetune import quantization
from worker.finetune.pipeline import finetune
from worker.finetune.reporter import Silent

# peft asks the model for an attribute that transformers is renaming.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")


def test_a_downloaded_adapter_gives_the_results_of_its_run(
    llama: Path, rows: Path, make_config: Any, tmp_path: Path
) -> None:
    config = make_config(training__num_train_epochs=3)
    outcome = finetune(config, model_path=llama, rows_path=rows, output_dir=tmp_path, reporter=Silent())
    assert outcome.results["improvement"]["perplexity"] < -0.1
    check(outcome.results, llama, tmp_path / "artifacts", tmp_path / "adapter")


def test_layers_that_were_kept_whole_are_known_outside(
    make_model: Callable[..., Path], rows: Path, make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Width 96 comes back wrong on CPUs with AVX512; elsewhere it is told to."""
    model = make_model(intermediate_size=96)
    real = quantization.dequantise
    monkeypatch.setattr(
        quantization, "dequantise", lambda layer: real(layer) * (1.0 if layer.in_features % 64 == 0 else 1.5)
    )
    config = make_config(training__num_train_epochs=2)
    outcome = finetune(config, model_path=model, rows_path=rows, output_dir=tmp_path, reporter=Silent())
    monkeypatch.undo()
    check(outcome.results, model, tmp_path / "artifacts", tmp_path / "adapter")
