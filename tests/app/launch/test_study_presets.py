"""The reference study, exactly: one thing at a time around a baseline, and the baseline without 4-bit."""

import pytest

from app.launch.study_presets import reference_study
from app.run_config import RunConfig, flatten, parse
from app.study.findings import factor
from app.study.runs import Configuration, StudyRun
from app.sweep import Named, Variant, named

# learning rate, batch, accumulation, r, alpha, epochs, quantisation
EXPECTED = {
    "Baseline": (2e-4, 4, 4, 8, 16, 3, "nf4"),
    "Exp 1": (1e-4, 4, 4, 8, 16, 3, "nf4"),
    "Exp 2": (5e-4, 4, 4, 8, 16, 3, "nf4"),
    "Exp 3": (2e-4, 2, 4, 8, 16, 3, "nf4"),
    "Exp 4": (2e-4, 4, 4, 4, 8, 3, "nf4"),
    "Exp 5": (2e-4, 4, 4, 16, 32, 3, "nf4"),
    "Exp 6": (2e-4, 4, 4, 8, 16, 5, "nf4"),
    "Without 4-bit": (2e-4, 4, 4, 8, 16, 3, "none"),
}


def config(**changes: dict[str, object]) -> RunConfig:
    return parse({"model": {"base_model": "any/base"}, "data": {"dataset": 7}} | changes)


def study(base: RunConfig, learning_rate_factor: float = 1.0) -> list[Variant]:
    return named(base, [Named(*run) for run in reference_study(base, learning_rate_factor)])


def settings(variant: Variant) -> tuple[object, ...]:
    t, lora = variant.config.training, variant.config.lora
    batch = t.per_device_train_batch_size, t.gradient_accumulation_steps
    return t.learning_rate, *batch, lora.r, lora.lora_alpha, t.num_train_epochs, variant.config.quantization.method


def test_it_is_the_reference_study_whatever_the_base_states() -> None:
    base = config(training={"learning_rate": 0.1, "max_steps": 3}, lora={"r": 64}, evaluation={"max_new_tokens": 5})
    runs = study(base)
    assert {variant.name: settings(variant) for variant in runs} == EXPECTED
    assert {(v.config.model.base_model, v.config.data.dataset) for v in runs} == {("any/base", 7)}
    assert {(v.config.training.max_steps, v.config.evaluation.max_new_tokens) for v in runs} == {(None, 5)}
    assert runs[0].config.training.effective_batch_size == 16


def test_a_factor_moves_all_learning_rates_together() -> None:
    rates = [variant.config.training.learning_rate for variant in study(config(), 10)]
    assert rates == [2e-3, 1e-3, 5e-3, 2e-3, 2e-3, 2e-3, 2e-3, 2e-3]


@pytest.mark.parametrize("number", range(1, 8))
def test_each_run_is_a_matched_comparison_with_the_baseline(number: int) -> None:
    runs = [
        Configuration((StudyRun(i, v.name, flatten(v.config.model_dump()), {}),)) for i, v in enumerate(study(config()))
    ]
    assert factor(runs[0], runs[number]) is not None
