"""The training path on a CUDA device, with the bundled sample; left out where there is none."""

from pathlib import Path
from typing import Any

import pytest
import torch

from app.run_config import RunConfig
from app.settings import SAMPLES
from worker.finetune.errors import Stopped
from worker.finetune.likelihood import likelihood
from worker.finetune.memory import used_bytes
from worker.finetune.pipeline import Outcome, finetune
from worker.finetune.preparing import prepare
from worker.finetune.reporter import Silent

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
MODEL = SAMPLES / "models" / "clinic-2m"
ROWS = SAMPLES / "data" / "clinic_pairs.jsonl"


def config(**overrides: Any) -> RunConfig:
    values: dict[str, dict[str, Any]] = {
        "model": {"base_model": "sample/clinic-2m"},
        "quantization": {},
        "lora": {},
        "data": {"dataset": 1, "max_train_rows": 64, "max_length": 256},
        "training": {"learning_rate": 2e-3, "num_train_epochs": 2, "gradient_accumulation_steps": 2},
        "evaluation": {"max_eval_rows": 16, "max_new_tokens": 24},
    }
    for name, value in overrides.items():
        group, field = name.split("__")
        values[group][field] = value
    return RunConfig.model_validate(values)


def run(folder: Path, reporter: Any = None, resume: bool = False, **overrides: Any) -> Outcome:
    return finetune(
        config(**overrides), model_path=MODEL, rows_path=ROWS, output_dir=folder, resume=resume,
        reporter=reporter or Silent(),
    )  # fmt: skip


@pytest.mark.parametrize("dtype", ["auto", "float16"])
@pytest.mark.parametrize("method", ["nf4", "fp4", "int8", "none"])
def test_every_method_trains(method: str, dtype: str, tmp_path: Path) -> None:
    outcome = run(tmp_path, quantization__method=method, quantization__compute_dtype=dtype)
    assert outcome.results["improvement"]["perplexity"] < -0.02
    assert outcome.resources["memory_kind"] == "cuda"
    assert outcome.resources["peak_memory_bytes"] >= outcome.resources["mean_memory_bytes"] > 0


def test_recomputed_activations_change_memory_and_not_the_result(tmp_path: Path) -> None:
    kept = run(tmp_path / "a", training__gradient_checkpointing=False, lora__lora_dropout=0)
    recomputed = run(tmp_path / "b", training__gradient_checkpointing=True, lora__lora_dropout=0)
    ours, theirs = (o.results["finetuned"]["perplexity"] for o in (kept, recomputed))
    assert theirs == pytest.approx(ours, rel=5e-3)
    assert recomputed.resources["peak_memory_bytes"] <= kept.resources["peak_memory_bytes"]


def test_the_memory_that_is_noted_at_each_step_is_what_the_allocator_says() -> None:
    held = torch.ones(1 << 20, device="cuda")
    assert used_bytes(held.device) == torch.cuda.memory_allocated(held.device) >= held.nbytes


def test_perplexity_does_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    job = prepare(config(), model_path=MODEL, rows_path=ROWS, dataset_sha256=None, reporter=Silent())
    losses = []
    for size in (1, 100_000):
        monkeypatch.setattr("worker.finetune.likelihood._tokens_at_once", lambda *_, size=size: size)
        found = likelihood(
            job.base.model, job.held_out.examples, pad_id=1, dtype=job.base.dtype, reporter=Silent()
        )  # fmt: skip
        losses.append(found.loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_a_stopped_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    class StopsAtThree(Silent):
        step = 0

        def progress(self, step: int, total_steps: int, epoch: float, eta_seconds: float | None) -> None:
            self.step = step

        def stop_requested(self) -> bool:
            return self.step == 3

    whole = run(tmp_path / "whole")
    with pytest.raises(Stopped):
        run(tmp_path / "two", StopsAtThree())
    resumed = run(tmp_path / "two", resume=True)
    ours, theirs = (o.results["finetuned"]["perplexity"] for o in (whole, resumed))
    assert theirs == pytest.approx(ours, rel=5e-3)
