"""What rows make of batches, by their lengths alone: held against the batches that a training really cuts."""

import random
from itertools import chain

import pytest

from app.launch import passes
from app.launch.passes import Lengths
from app.run_config import RunConfig, parse

# Short rows, many of middle length, a long tail.
TOKENS = [int(random.Random(i).lognormvariate(4.8, 0.5)) + 8 for i in range(600)]
LENGTHS = passes.of_rows(TOKENS, sum(TOKENS) // 2)


def asked(**training: object) -> RunConfig:
    return parse({"model": {"base_model": "m"}, "data": {"dataset": 1}, "training": training})


def test_the_middle_and_the_ends_of_the_rows_are_kept() -> None:
    assert LENGTHS.longest == max(TOKENS)
    assert LENGTHS.at(0) == min(TOKENS)
    assert LENGTHS.mean == pytest.approx(sum(TOKENS) / len(TOKENS), rel=0.03)
    assert LENGTHS.scored == pytest.approx(0.5, abs=1e-3)


def test_rows_are_no_longer_than_they_may_be() -> None:
    assert LENGTHS.within(100).longest == 100
    assert LENGTHS.within(100).mean < LENGTHS.mean


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "padded"])
@pytest.mark.parametrize("sampling", ["group_by_length", "random"])
@pytest.mark.parametrize("size", [4, 16])
def test_the_largest_pass_and_what_a_row_takes_are_about_those_of_the_plan(
    size: int, sampling: str, packed: bool
) -> None:
    plans = pytest.importorskip("worker.finetune.plan")
    training = asked(per_device_train_batch_size=size, train_sampling_strategy=sampling, num_train_epochs=1)
    plan = plans.make_plan(TOKENS, training.training)
    cut = list(chain(*(plan.step(number) for number in range(plan.total_steps))))

    def tokens(batch: list[int]) -> int:
        of_rows = [TOKENS[row] for row in batch]
        return sum(of_rows) if packed else len(of_rows) * max(of_rows)

    made = passes.passes(training, LENGTHS, len(TOKENS), packed=packed)
    assert made.largest.tokens == pytest.approx(max(map(tokens, cut)), rel=0.2)
    assert made.computed == pytest.approx(sum(map(tokens, cut)) / len(TOKENS), rel=0.1)


def test_few_rows_make_a_small_pass() -> None:
    made = passes.passes(asked(per_device_train_batch_size=64), Lengths((10, 20, 30), 0.5), 5, packed=True)
    assert made.rows == 5
    assert made.largest.tokens == 5 * 20


def test_a_step_of_so_many_tokens_is_filled_by_its_passes() -> None:
    config = asked(max_tokens_per_step=4000, gradient_accumulation_steps=4)
    made = passes.passes(config, Lengths((100, 100), 0.5), 500, packed=True)
    assert (made.largest.tokens, made.largest.scored, made.rows) == (1000, 500, 10)


def test_examples_are_rows_times_epochs_unless_steps_are_given() -> None:
    assert passes.examples(asked(num_train_epochs=1.5), 200) == 300
    assert passes.examples(asked(max_steps=10, per_device_train_batch_size=2), 200) == 80


def test_held_out_losses_are_looked_at_between_epochs_or_as_often_as_asked() -> None:
    def evaluations(**training: object) -> int:
        return passes.evaluations(asked(**training), LENGTHS, 160)

    assert evaluations(num_train_epochs=1) == 0, "at the end the whole measurement follows"
    assert evaluations(num_train_epochs=3) == 2
    assert evaluations(num_train_epochs=1, eval_steps=4) == 2
    assert passes.evaluation(asked(num_train_epochs=1), LENGTHS, 160, 60, on_gpu=False) is None
    looked = passes.evaluation(asked(num_train_epochs=2), LENGTHS, 160, 60, on_gpu=False)
    assert looked is not None
    assert looked.tokens == 4096
