"""What a setting does is told from runs that differ in it and in nothing else."""

from typing import Any

import pytest

from app.compare.effects import Effect, effects, steps
from app.study.runs import Configuration, StudyRun

BASE = {"lora.r": 8, "lora.lora_alpha": 16, "training.learning_rate": 2e-4, "training.seed": 42}


def run(number: int, perplexity: float | None = None, *, fingerprint: str = "asked", **settings: Any) -> StudyRun:
    named = BASE | {name.replace("__", "."): value for name, value in settings.items()}
    metrics = {} if perplexity is None else {"perplexity": perplexity}
    return StudyRun(
        number, f"Run {number}", named, metrics, fingerprint=fingerprint, perplexity_key=f"{fingerprint}-tokens"
    )


def no_interval(one: Configuration, other: Configuration, metric: str) -> None:
    return None


def ids(effect: Effect) -> list[list[list[int]]]:
    return [[[run.id for run in c.runs] for c in row.configurations] for row in effect.rows]


def test_a_row_goes_from_the_smallest_value_to_the_largest() -> None:
    (effect,) = effects(
        [
            run(1, training__learning_rate=5e-4),
            run(2, training__learning_rate=1e-4),
            run(3, training__learning_rate=3e-4),
        ]
    )
    assert effect.factor == "training.learning_rate"
    assert effect.rows[0].values == (1e-4, 3e-4, 5e-4)
    assert ids(effect) == [[[2], [3], [1]]]


def test_each_combination_of_the_other_settings_is_a_row_of_its_own() -> None:
    grid = [
        run(1, lora__r=4, training__learning_rate=1e-4),
        run(2, lora__r=8, training__learning_rate=1e-4),
        run(3, lora__r=4, training__learning_rate=2e-4),
        run(4, lora__r=8, training__learning_rate=2e-4),
    ]
    by_factor = {effect.factor: ids(effect) for effect in effects(grid)}
    assert by_factor["lora.r"] == [[[1], [2]], [[3], [4]]]
    assert by_factor["training.learning_rate"] == [[[1], [3]], [[2], [4]]]


def test_runs_that_differ_in_two_things_at_once_say_nothing() -> None:
    assert effects([run(1), run(2, lora__r=16, training__learning_rate=1e-4)]) == []


def test_alpha_that_moves_with_the_rank_is_named_as_linked() -> None:
    (effect,) = effects([run(1), run(2, lora__r=16, lora__lora_alpha=32)])
    assert (effect.factor, effect.linked) == ("lora.r", ("lora.lora_alpha",))


def test_seeds_are_one_configuration_whose_values_are_averaged() -> None:
    (effect,) = effects(
        [run(1, 20.0), run(2, 22.0, training__seed=43), run(3, 18.9, lora__r=16), run(4, 18.9, lora__r=16)]
    )
    assert ids(effect) == [[[1, 2], [3, 4]]]
    (step,) = steps(effect, ["perplexity"], no_interval)
    assert step.changes["perplexity"].relative == pytest.approx(-0.1)


def test_of_one_row_a_step_has_its_interval_and_of_several_their_range() -> None:
    one = effects([run(1, 20.0), run(2, 19.0, lora__r=16)])[0]
    (step,) = steps(one, ["perplexity"], lambda *_: (-0.1, 0.02))
    assert (step.start, step.end, step.rows) == (8, 16, 1)
    assert step.changes["perplexity"].bounds == (-0.1, 0.02)

    grid = [
        run(1, 20.0),
        run(2, 19.0, lora__r=16),
        run(3, 10.0, training__learning_rate=1e-4),
        run(4, 9.0, lora__r=16, training__learning_rate=1e-4),
    ]
    several = next(effect for effect in effects(grid) if effect.factor == "lora.r")
    (step,) = steps(several, ["perplexity"], lambda *_: (-9.0, 9.0))
    change = step.changes["perplexity"]
    assert (step.rows, change.rows) == (2, 2)
    assert change.relative == pytest.approx(-0.075)
    assert change.bounds == pytest.approx((-0.1, -0.05))


def test_what_does_not_compare_is_no_change() -> None:
    (effect,) = effects([run(1, 20.0), run(2, 19.0, lora__r=16, fingerprint="something else")])
    assert steps(effect, ["perplexity"], no_interval)[0].changes == {}


def test_a_setting_that_one_of_them_did_not_state_is_no_factor() -> None:
    stated = run(1)
    silent = StudyRun(2, "Run 2", {n: v for n, v in BASE.items() if n != "lora.r"}, {})
    assert effects([stated, silent]) == []


def test_lists_and_missing_values_can_be_factors() -> None:
    (effect,) = effects(
        [run(1, 20.0, lora__target_modules=["q", "v"]), run(2, 19.0, lora__target_modules="all-linear")]
    )
    (step,) = steps(effect, ["perplexity"], no_interval)
    assert {repr(step.start), repr(step.end)} == {"['q', 'v']", "'all-linear'"}
    (effect,) = effects([run(1, data__max_train_rows=100), run(2, data__max_train_rows=None)])
    assert effect.rows[0].values == (None, 100)
