import pytest

from app.errors import Invalid
from app.run_config import RunConfig, parse
from app.sweep import MAX_RUNS, Named, Plan, expand, named, variant

LR, R, ALPHA, SEED = "training.learning_rate", "lora.r", "lora.lora_alpha", "training.seed"


@pytest.fixture
def config() -> RunConfig:
    return parse({"model": {"base_model": "sample/clinic-2m"}, "data": {"dataset": 1}})


def wrong(config: RunConfig, plan: Plan) -> set[str]:
    with pytest.raises(Invalid) as caught:
        expand(config, plan)
    return {error.field for error in caught.value.errors}


def test_a_grid_is_every_combination(config: RunConfig) -> None:
    runs = expand(config, Plan({LR: [1e-4, 2e-4], R: [4, 8, 16]}))
    assert len(runs) == 6
    assert {(v.config.training.learning_rate, v.config.lora.r) for v in runs} == {
        (lr, r) for lr in (1e-4, 2e-4) for r in (4, 8, 16)
    }


def test_one_at_a_time_begins_with_the_baseline_and_never_makes_it_twice(config: RunConfig) -> None:
    runs = expand(config, Plan({LR: [1e-4, 2e-4], R: [4, 8]}, "one_at_a_time"))
    assert [v.name for v in runs] == ["Baseline", "Learning rate 1e-4", "LoRA r 4"]
    assert [v.changes for v in runs] == [{}, {LR: 1e-4}, {R: 4}]


def test_a_linked_field_keeps_its_ratio(config: RunConfig) -> None:
    runs = expand(config, Plan({R: [4, 16]}, "one_at_a_time", linked=[[R, ALPHA]]))
    assert [(v.config.lora.r, v.config.lora.lora_alpha) for v in runs] == [(8, 16), (4, 8), (16, 32)]


def test_linked_axes_with_values_of_their_own_go_side_by_side(config: RunConfig) -> None:
    runs = expand(config, Plan({R: [4, 16], ALPHA: [4, 64]}, linked=[[R, ALPHA]]))
    assert [(v.config.lora.r, v.config.lora.lora_alpha) for v in runs] == [(4, 4), (16, 64)]
    assert wrong(config, Plan({R: [4, 16], ALPHA: [4]}, linked=[[R, ALPHA]])) == {"linked"}


def test_a_range_is_spaced_by_its_scale(config: RunConfig) -> None:
    axis = {"low": 1e-4, "high": 1e-2, "n": 3, "scale": "log"}
    runs = expand(config, Plan({LR: axis}))
    assert [v.config.training.learning_rate for v in runs] == [1e-4, 1e-3, 1e-2]


def test_a_range_of_whole_numbers_stays_whole(config: RunConfig) -> None:
    runs = expand(config, Plan({"data.max_train_rows": {"low": 100, "high": 1000, "n": 4}}))
    assert [v.config.data.max_train_rows for v in runs] == [100, 400, 700, 1000]


def test_random_draws_as_many_as_asked_and_the_same_each_time(config: RunConfig) -> None:
    plan = Plan({LR: {"low": 1e-5, "high": 1e-2, "scale": "log"}, R: [4, 8, 16]}, "random", max_runs=7)
    runs = expand(config, plan)
    assert len(runs) == 7
    assert [v.changes for v in runs] == [v.changes for v in expand(config, plan)]


def test_seeds_make_replicates(config: RunConfig) -> None:
    runs = expand(config, Plan({R: [4, 8]}, seeds=[1, 2, 3]))
    assert [(v.config.lora.r, v.config.training.seed) for v in runs] == [(r, s) for r in (8, 4) for s in (1, 2, 3)]


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        (Plan({"lora.rank": [4]}), "axes.lora.rank"),
        (Plan({R: [0]}), "axes.lora.r"),
        (Plan({R: ["four"]}), "axes.lora.r"),
        (Plan({R: []}), "axes.lora.r"),
        (Plan({LR: {"low": 1e-3, "high": 1e-4}}), f"axes.{LR}"),
        (Plan({LR: {"low": 0, "high": 1e-4, "scale": "log"}}), f"axes.{LR}"),
        (Plan({LR: {"low": 1e-5, "high": 1e-4, "steps": 3}}), f"axes.{LR}"),
        (Plan({R: [4]}, seeds=[1, 1]), "seeds"),
        (Plan({R: [4]}, "random"), "max_runs"),
        (Plan({R: [4, 8, 16]}, max_runs=2), "max_runs"),
        (Plan({"training.seed": list(range(MAX_RUNS + 1))}), "max_runs"),
        (Plan({R: [4]}, linked=[[R, "lora.bias"]]), "linked"),
        (Plan({R: ["four"]}, linked=[[R, ALPHA]]), "axes.lora.r"),
        (Plan({LR: {"low": 1e-4, "high": 1e-3, "n": 10**9}}), f"axes.{LR}"),
        (Plan({LR: {"low": 1e-4, "high": 1e-3, "n": 2.5}}), f"axes.{LR}"),
        (Plan({LR: [1e-4]}, "random", max_runs=10**9), "max_runs"),
        (Plan({name: list(range(1, 150)) for name in (R, ALPHA, "data.max_train_rows")}), "max_runs"),
        (Plan({SEED: [1, 2]}, seeds=[1, 2]), "seeds"),
        (Plan({R: [4, 8]}, seeds=[-1]), "seeds"),
        (Plan({"training.load_best_model_at_end": [True]}), "data.validation_fraction"),
    ],
)
def test_what_cannot_be_is_named(config: RunConfig, plan: Plan, field: str) -> None:
    assert wrong(config, plan) == {field}


def test_a_named_run_keeps_its_name_and_note(config: RunConfig) -> None:
    made = variant(config, {"quantization.method": "none"}, "Without 4-bit", "for the memory table")
    assert (made.name, made.notes, made.config.quantization.method) == ("Without 4-bit", "for the memory table", "none")


def test_a_grid_that_holds_the_base_configuration_begins_with_it(config: RunConfig) -> None:
    runs = expand(config, Plan({R: [4, 8], LR: [1e-4, 2e-4]}))
    assert [v.name for v in runs] == ["Baseline", "LoRA r 4, Learning rate 1e-4", "LoRA r 4", "Learning rate 1e-4"]


def test_a_list_of_runs_is_taken_as_it_is_written(config: RunConfig) -> None:
    runs = named(config, [Named("Baseline"), Named("Wide", "more capacity", {R: 16, ALPHA: 32})])
    assert [(v.name, v.notes, v.config.lora.r) for v in runs] == [("Baseline", "", 8), ("Wide", "more capacity", 16)]
    assert runs[1].calls == {R: "runs.1.set.lora.r", ALPHA: "runs.1.set.lora.lora_alpha"}


def test_what_is_wrong_in_a_list_is_named_by_its_number(config: RunConfig) -> None:
    with pytest.raises(Invalid) as caught:
        named(config, [Named("fine", "", {R: 0}), Named(" ", "", {"lora.rank": 4})])
    assert [e.field for e in caught.value.errors] == ["runs.0.set.lora.r", "runs.1.name", "runs.1.set.lora.rank"]
    with pytest.raises(Invalid, match="no run"):
        named(config, [])


def test_all_wrong_values_are_told_at_once(config: RunConfig) -> None:
    assert wrong(config, Plan({R: [4, 0], LR: [3, 2e-4]})) == {"axes.lora.r", f"axes.{LR}"}
