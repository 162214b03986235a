"""Each axis of a study changes what is trained, and settings that are called identical in effect train alike."""

from pathlib import Path
from typing import Any

import pytest

from app.run_config import RunConfig, flatten
from app.study.equivalents import effect
from worker.finetune.pipeline import finetune
from worker.finetune.reporter import Silent

OPTIM, SCHEDULE, WARMUP = "training__optim", "training__lr_scheduler_type", "training__warmup_steps"


class Losses(Silent):
    """Remembers the training loss of each step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def points(self, step: int, epoch: float, time: float, values: Any) -> None:
        if (loss := values.get("train/loss")) is not None:
            self.seen.append(loss)


@pytest.fixture
def train(llama: Path, rows: Path, tmp_path: Path) -> Any:
    """A short run; its losses and its perplexity."""

    def run(config: RunConfig, name: str = "run", model: Path = llama, data: Path = rows) -> tuple[list[float], float]:
        reporter = Losses()
        outcome = finetune(config, model_path=model, rows_path=data, output_dir=tmp_path / name, reporter=reporter)
        return reporter.seen, outcome.results["finetuned"]["perplexity"]

    return run


@pytest.fixture
def short(make_config: Any) -> Any:
    """Three steps are enough to tell runs apart; two answers to measure them on."""

    def make(**changes: Any) -> RunConfig:
        few = {"training__max_steps": 3, "training__warmup_steps": 0, "evaluation__max_eval_rows": 2}
        config: RunConfig = make_config(**few | {"evaluation__max_new_tokens": 2} | changes)
        return config

    return make


@pytest.fixture
def baseline(train: Any, short: Any) -> tuple[list[float], float]:
    found: tuple[list[float], float] = train(short(), "baseline")
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {"lora__target_modules": ["q_proj", "v_proj"]},
        {"lora__lora_dropout": 0.5},
        {"lora__use_dora": True},
        {"lora__use_rslora": True},
        {"quantization__method": "none"},
        {"quantization__method": "int8"},
        {OPTIM: "adafactor"},
        {OPTIM: "sgd"},
        {SCHEDULE: "linear"},
        {SCHEDULE: "constant"},
        {SCHEDULE: "polynomial"},
        {SCHEDULE: "constant_with_warmup", WARMUP: 2},
        {WARMUP: 2},
        {"data__max_train_rows": 6},
        {"training__max_steps": None, "training__num_train_epochs": 2},
        {"training__seed": 7},
    ],
    ids=str,
)
def test_a_varied_setting_changes_what_is_learnt(
    changes: dict[str, Any], train: Any, short: Any, baseline: tuple[list[float], float]
) -> None:
    losses, perplexity = train(short(**changes))
    assert losses
    assert abs(perplexity / baseline[1] - 1) > 1e-5, "a setting that changes nothing is no axis"


@pytest.mark.parametrize("optim", ["adamw_bnb_8bit", "paged_adamw_8bit"])
def test_8_bit_states_take_other_steps_where_matrices_are_large(optim: str, train: Any, short: Any) -> None:
    """bitsandbytes keeps the state of a matrix of fewer than 4,096 numbers in 32 bits."""
    large = {"lora__r": 128, "lora__lora_alpha": 256, "training__max_steps": 10}
    whole, coarse = (train(short(**large, **part), str(len(part)))[0] for part in ({}, {OPTIM: optim}))
    assert coarse == pytest.approx(whole, rel=0.05)
    assert coarse != pytest.approx(whole, rel=1e-6)


def test_another_base_and_another_data_set_are_axes_too(
    train: Any, short: Any, baseline: Any, make_model: Any, write_rows: Any, rows: Path
) -> None:
    assert train(short(), "model", model=make_model(num_hidden_layers=1))[1] != baseline[1]
    extra = [{"instruction": f"Name {i}", "input": "", "response": f"It is number {i} of them."} for i in range(20)]
    appended = write_rows(extra)
    appended.write_text(rows.read_text() + appended.read_text())
    assert train(short(), "data", data=appended)[1] != baseline[1]


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({OPTIM: "adam"}, {}),
        ({OPTIM: "adamw_torch_fused"}, {}),
        ({OPTIM: "paged_adamw_32bit"}, {}),
        ({OPTIM: "paged_adamw_8bit"}, {OPTIM: "adamw_bnb_8bit"}),
        ({SCHEDULE: "cosine_with_restarts"}, {}),
        ({SCHEDULE: "constant_with_warmup"}, {SCHEDULE: "constant", WARMUP: 0.5}),
        ({"lora__use_rslora": True, "lora__lora_alpha": 4}, {"lora__lora_alpha": 8}),
        ({"quantization__method": "none"}, {"quantization__method": "none", "quantization__double_quant": False}),
        ({"training__num_train_epochs": 2}, {}),
        ({"training__gradient_checkpointing": True}, {}),
        ({"training__packing": True}, {}),
        ({"training__eval_steps": 1}, {}),
    ],
    ids=str,
)
def test_settings_that_are_called_identical_train_alike(
    changes: dict[str, Any], same: dict[str, Any], train: Any, short: Any
) -> None:
    one, other = (short(**{"lora__lora_dropout": 0, **part}) for part in (changes, same))
    assert flatten(one.model_dump()) != flatten(other.model_dump())
    assert effect(one) == effect(other)
    losses = [train(config, name)[0] for config, name in ((one, "one"), (other, "other"))]
    assert losses[0] == pytest.approx(losses[1], rel=2e-4)
    assert len(losses[0]) == 3
