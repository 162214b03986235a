"""How long runs take, carried over from finished ones: what was measured stays, and differences are reckoned."""

from dataclasses import replace
from typing import Any

import pytest

from app.launch import model_shape, timing
from app.launch.passes import Lengths
from app.launch.past import Past
from app.launch.timing import Asked
from app.run_config import RunConfig, flatten, nest, parse
from app.settings import ROOT

SHAPE = model_shape.read(ROOT / "samples/models/clinic-2m")
LENGTHS = Lengths((60, 100, 140), 0.7)
ROWS, HELD_OUT = 500, 60


def config(**changes: Any) -> RunConfig:
    flat = {"model.base_model": "m", "data.dataset": 1, "training.num_train_epochs": 1.0}
    return parse(nest(flat | {name.replace("__", "."): value for name, value in changes.items()}))


def asked(base_known: bool = True, **changes: Any) -> Asked:
    return Asked(config(**changes), ROWS, HELD_OUT, LENGTHS, base_known)


def finished(
    seconds_a_row: float = 0.02,
    start: float = 5.0,
    tuned: float = 2.0,
    base: float = 0.0,
    startup: float | None = None,
    **changes: Any,
) -> Past:
    resources = {
        "seconds_per_1000_examples": seconds_a_row * 1000,
        "train_seconds": seconds_a_row * ROWS,
        "train_rows": ROWS,
        "evaluation_seconds": tuned + base,
        "baseline_seconds": base,
        "startup_seconds": startup,
        "row_tokens": {"quantiles": LENGTHS.quantiles, "scored": LENGTHS.scored},
    }
    whole = start + seconds_a_row * ROWS + tuned + base
    return Past("CPU", flatten(config(**changes).model_dump(mode="json")), whole, resources, HELD_OUT)


def seconds(of: Asked, *runs: Past) -> float:
    found = timing.seconds(of, SHAPE, runs)
    assert found is not None
    return found[0]


def test_the_same_again_takes_as_long_again() -> None:
    assert seconds(asked(), finished()) == pytest.approx(5 + 10 + 2)


def test_nothing_is_said_without_a_finished_run() -> None:
    assert timing.seconds(asked(), SHAPE, []) is None


def test_twice_the_epochs_train_twice_as_long_and_load_as_long() -> None:
    twice = seconds(asked(training__num_train_epochs=2.0, training__eval_steps=10**6), finished())
    assert twice == pytest.approx(5 + 20 + 2)


def test_a_base_that_is_not_known_is_measured_first() -> None:
    known, unknown = seconds(asked(), finished(base=3.0)), seconds(asked(base_known=False), finished(base=3.0))
    assert unknown - known == pytest.approx(3.0)
    assert seconds(asked(base_known=False), finished()) > seconds(asked(), finished()), "though none was ever timed"


def test_more_held_out_rows_are_measured_longer() -> None:
    few = replace(asked(evaluation__max_eval_rows=30), base_known=True)
    assert seconds(few, finished()) == pytest.approx(5 + 10 + 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"lora__r": 64},
        {"training__gradient_checkpointing": True},
        {"training__per_device_train_batch_size": 1},
        {"training__packing": False, "training__train_sampling_strategy": "random"},
        {"lora__fused": False},
        {"training__logits": "all"},
        {"lora__use_dora": True},
    ],
    ids=str,
)
def test_what_there_is_more_to_compute_of_takes_longer(changes: dict[str, Any]) -> None:
    assert seconds(asked(**changes), finished()) > 1.01 * seconds(asked(), finished())


@pytest.mark.parametrize("costs", [1.0, 3.0, 20.0])
def test_what_a_generated_token_costs_is_what_runs_with_longer_answers_took(costs: float) -> None:
    def measured(rows: int, tokens: int) -> Past:
        written = min(tokens, LENGTHS.mean * LENGTHS.scored)
        tuned, base = (1e-4 * rows * (LENGTHS.mean + costs * count) for count in (written, tokens))
        sizes = {"evaluation__max_eval_rows": rows, "evaluation__max_new_tokens": tokens}
        return replace(finished(tuned=tuned, base=base, **sizes), held_out=rows)

    few, many = measured(60, 16), measured(60, 64)
    came = measured(60, 128)
    longer = replace(asked(evaluation__max_new_tokens=128, evaluation__max_eval_rows=60), base_known=False)
    assert seconds(longer, few, many) == pytest.approx(came.seconds, rel=0.05)


def test_looks_on_the_way_cost_what_they_took_elsewhere() -> None:
    plain, thrice = finished(tuned=2.0), finished(tuned=3.0, training__num_train_epochs=3.0)
    said = seconds(asked(training__num_train_epochs=5.0), plain, thrice)
    assert said == pytest.approx(5 + 50 + 4.0, abs=0.1)


def test_dora_takes_nearly_as_long_again_and_less_without_dropout() -> None:
    """Of the sample, measured: 10.7 s of training where the plain adapter took 5.8."""
    plain, dora, dry = (
        seconds(asked(**changes), finished()) - 7
        for changes in ({}, {"lora__use_dora": True}, {"lora__use_dora": True, "lora__lora_dropout": 0.0})
    )
    assert 1.6 * plain < dora < 2.0 * plain
    assert dry < dora - 0.35 * plain


def test_runs_of_like_settings_count_most() -> None:
    slow, fast = finished(0.2, lora__r=64), finished(0.02)
    assert seconds(asked(), slow, fast, slow) < 30
    assert seconds(asked(lora__r=64), fast, slow, fast) > 90


def test_shorter_rows_train_faster() -> None:
    short = replace(asked(), lengths=LENGTHS.within(60))
    assert seconds(short, finished()) < seconds(asked(), finished()) - 3


def test_the_base_is_known_to_a_run_that_differs_only_in_its_training() -> None:
    of = timing.baseline_of
    first = flatten(config().model_dump(mode="json"))
    assert of(first) == of(flatten(config(lora__r=64, training__learning_rate=1e-3).model_dump(mode="json")))
    assert of(first) != of(flatten(config(evaluation__max_new_tokens=64).model_dump(mode="json")))


def test_the_next_run_waits_for_its_process_as_the_last_ones_did_and_not_as_the_first() -> None:
    cold, warm = finished(startup=4.0, start=5.0), finished(startup=0.1, start=1.1)
    assert seconds(asked(), warm, cold) == pytest.approx(0.1 + 1.0 + 10 + 2)
    assert seconds(asked(), cold) == pytest.approx(4.0 + 1.0 + 10 + 2)


def test_a_run_that_began_cold_still_tells_what_it_took_to_load_rows_and_base() -> None:
    warm = [finished(startup=0.1, start=1.1) for _ in range(3)]
    near = finished(startup=4.0, start=9.0, quantization__method="int8")
    assert seconds(asked(quantization__method="int8"), *warm, near) == pytest.approx(0.1 + 1.0 + 10 + 2)
    assert seconds(asked(), *warm, near) == pytest.approx(0.1 + 1.0 + 10 + 2)


def test_runs_that_do_not_say_how_long_they_waited_tell_nothing_beside_those_that_do() -> None:
    assert seconds(asked(), finished(start=6.0), finished(startup=0.1, start=1.1)) == pytest.approx(0.1 + 1.0 + 10 + 2)
    assert seconds(asked(), finished(start=6.0), finished(start=2.0)) == pytest.approx(2.0 + 10 + 2)
