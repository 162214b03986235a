import pytest

from app.config_sections import LoraConfig, TrainingConfig
from app.launch.launch_facts import (
    Linear,
    ModelShape,
    steps_per_epoch,
    total_steps,
    trainable_parameters,
    trainable_share,
)

SHAPE = ModelShape(parameters=10_000, biases=40, linears=(Linear("q_proj", 20, 30, 30), Linear("v_proj", 20, 10, 10)))


@pytest.mark.parametrize(("rows", "steps"), [(2500, 157), (2496, 156), (16, 1), (1, 1)])
def test_the_last_batch_and_the_last_accumulation_may_be_smaller(rows: int, steps: int) -> None:
    assert steps_per_epoch(TrainingConfig(), rows) == steps


def test_half_an_epoch_counts_and_max_steps_wins() -> None:
    assert total_steps(TrainingConfig(num_train_epochs=2.5), 2500) == 393
    assert total_steps(TrainingConfig(max_steps=10), 2500) == 10


def test_only_targets_are_trained() -> None:
    assert trainable_parameters(LoraConfig(r=4), SHAPE) == 4 * (20 + 30) + 4 * (20 + 10)
    assert trainable_parameters(LoraConfig(r=4, target_modules=["q_proj"]), SHAPE) == 4 * (20 + 30)
    assert trainable_parameters(LoraConfig(r=4, target_modules=["other"]), SHAPE) == 0


def test_magnitudes_and_biases_are_trained_where_asked_for() -> None:
    plain = trainable_parameters(LoraConfig(r=4), SHAPE)
    assert trainable_parameters(LoraConfig(r=4, use_dora=True), SHAPE) == plain + 40
    assert trainable_parameters(LoraConfig(r=4, bias="all"), SHAPE) == plain + 40
    assert trainable_parameters(LoraConfig(r=4, bias="lora_only", target_modules=["v_proj"]), SHAPE) == 4 * 30 + 10


def test_the_share_counts_the_adapter_among_all_weights() -> None:
    assert trainable_share(LoraConfig(r=4), SHAPE) == pytest.approx(320 / 10_320)
    assert trainable_share(LoraConfig(r=4, bias="all"), SHAPE) == pytest.approx(360 / 10_320)
