"""Which settings are called identical in effect; tests/worker/finetune/test_axes.py trains them."""

from typing import Any

import pytest

from app.run_config import parse
from app.study.equivalents import effect, notes
from app.sweep import Plan, expand

OPTIM, ALPHA = "training.optim", "lora.lora_alpha"


def config(**sections: dict[str, Any]) -> Any:
    return parse({"model": {"base_model": "a/b"}, "data": {"dataset": 1}} | sections)


def test_adam_and_adamw_without_decay_are_named_and_others_are_not() -> None:
    plan = Plan({OPTIM: ["adamw_torch", "adam", "adafactor", "sgd"]})
    assert notes(expand(config(), plan)) == [
        "Baseline and Optimizer adam are identical in effect: 32-bit AdamW of any kind, and Adam without weight decay, "
        "take the same steps; paging is about memory."
    ]
    assert notes(expand(config(training={"weight_decay": 0.1}), plan)) == []


def test_the_reason_is_that_of_what_differs() -> None:
    runs = expand(config(training={"max_steps": 5}), Plan({"training.num_train_epochs": [1, 2, 3]}))
    assert notes(runs) == ["Baseline, Epochs 1 and Epochs 2 are identical in effect: max steps wins over epochs."]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({OPTIM: "paged_adamw_8bit"}, {OPTIM: "adamw_bnb_8bit"}, True),
        ({OPTIM: "adamw_bnb_8bit"}, {OPTIM: "adamw_torch"}, False),
        ({"training.lr_scheduler_type": "cosine_with_restarts"}, {"training.lr_scheduler_type": "cosine"}, True),
        ({"training.lr_scheduler_type": "constant_with_warmup"}, {"training.lr_scheduler_type": "constant"}, False),
        ({"lora.use_rslora": True, "lora.r": 4, ALPHA: 8}, {"lora.r": 4, ALPHA: 16}, True),
        ({"lora.use_rslora": True, "lora.r": 4, ALPHA: 16}, {"lora.r": 4, ALPHA: 16}, False),
        ({"quantization.double_quant": False}, {}, False),
        ({"training.gradient_checkpointing": True}, {"training.packing": True}, True),
        ({"training.eval_steps": 5}, {}, True),
    ],
    ids=str,
)
def test_settings_are_alike_or_not(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    made = [effect(expand(config(), Plan({k: [v] for k, v in changes.items()}))[0].config) for changes in (one, other)]
    assert (made[0] == made[1]) is same


def test_how_often_is_measured_counts_where_that_chooses() -> None:
    choosing = {"data": {"dataset": 1, "validation_fraction": 0.1}, "training": {"early_stopping_patience": 1}}
    often = {**choosing, "training": {"early_stopping_patience": 1, "eval_steps": 5}}
    assert effect(config(**choosing)) != effect(config(**often))
