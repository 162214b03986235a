"""Steps of so many tokens: none has more, every epoch sees every row once and has as many steps."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from app.config_sections import TrainingConfig
from app.launch.launch_facts import total_steps
from worker.finetune.errors import Stopped
from worker.finetune.pipeline import finetune
from worker.finetune.plan import make_plan

LENGTHS = [20 + (i * 37) % 60 for i in range(500)]
MOST, PASSES = 1200, 3


def plan(**overrides: Any) -> Any:
    asked = {"max_tokens_per_step": MOST, "gradient_accumulation_steps": PASSES, "num_train_epochs": 3}
    return make_plan(LENGTHS, TrainingConfig(**{**asked, **overrides}))


@pytest.mark.parametrize("strategy", ["group_by_length", "random"])
def test_no_step_has_more_tokens_and_few_have_much_less(strategy: str) -> None:
    made = plan(train_sampling_strategy=strategy)
    sizes = []
    for number in range(made.total_steps):
        step = made.step(number)
        assert len(step) <= PASSES
        sizes += [sum(LENGTHS[row] for row in batch) for batch in step]
        assert sum(sizes[-len(step) :]) <= MOST
    assert max(sizes) <= MOST // PASSES
    assert sum(sizes) / len(sizes) > 0.85 * MOST / PASSES


def test_each_epoch_sees_every_row_once_in_as_many_steps_and_in_other_company() -> None:
    made = plan()
    epochs = [
        [batch for n in range(made.steps_per_epoch) for batch in made.step(epoch * made.steps_per_epoch + n)]
        for epoch in range(3)
    ]
    for batches in epochs:
        assert sorted(itertools.chain(*batches)) == list(range(len(LENGTHS)))
    together = [{frozenset(batch) for batch in batches} for batches in epochs]
    assert len(together[0] & together[1]) < len(together[0]) / 4


def test_rows_of_like_length_are_together_unless_the_order_is_random() -> None:
    def padding(strategy: str) -> float:
        batches = [batch for n in range(10) for batch in plan(train_sampling_strategy=strategy).step(n)]
        return sum(len(b) * max(LENGTHS[i] for i in b) / sum(LENGTHS[i] for i in b) for b in batches) / len(batches)

    assert padding("group_by_length") < 1.1 < padding("random")


def test_the_first_step_is_the_largest() -> None:
    made = plan()
    assert made.step(0)[0] == made.largest(packed=True)


def test_the_steps_are_about_as_many_as_the_launch_form_says() -> None:
    training = TrainingConfig(max_tokens_per_step=MOST, gradient_accumulation_steps=PASSES, num_train_epochs=3)
    said = total_steps(training, len(LENGTHS), sum(LENGTHS) / len(LENGTHS))
    assert said == pytest.approx(plan().total_steps, rel=0.1)
    assert total_steps(training, len(LENGTHS)) is None  # unless nothing is known of the rows' tokens


def test_a_run_trains_and_goes_on_in_such_steps(
    llama: Path, rows: Path, make_config: Any, recording: Any, tmp_path: Path
) -> None:
    config = make_config(training__max_tokens_per_step=400, training__num_train_epochs=2, lora__lora_dropout=0.1)

    def start(name: str, reporter: Any, resume: bool = False) -> Any:
        return finetune(
            config, model_path=llama, rows_path=rows, output_dir=tmp_path / name, baselines_dir=tmp_path / "b",
            reporter=reporter, resume=resume,
        )  # fmt: skip

    whole = start("whole", recording())
    with pytest.raises(Stopped):
        start("two", recording(stop_at=lambda r: r.steps == 3))
    assert start("two", recording(), resume=True).results == whole.results
    resources = whole.resources
    assert resources["effective_batch_size"] == round(2 * resources["train_rows"] / resources["steps"])
