"""What is typed beside a field to vary it, and lists of runs: read as they are meant, or refused by name."""

from typing import Any

import pytest

from app import run_config
from app.errors import Invalid
from app.launch.study_presets import reference_study
from app.run_config import parse
from app.sweep import Named
from app.web import study_form
from app.web.study_form import Study, read_axis, read_runs, write_runs

LR, R = "training.learning_rate", "lora.r"


def wrong(call: Any, *arguments: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        call(*arguments)
    return {error.field: error.message for error in caught.value.errors}


@pytest.mark.parametrize(
    ("name", "text", "axis"),
    [
        (LR, "1e-4, 2e-4,5e-4", [1e-4, 2e-4, 5e-4]),
        (LR, "1e-4..1e-3 x3 log", {"low": 1e-4, "high": 1e-3, "n": 3, "scale": "log"}),
        (LR, "1e-4..1e-3", {"low": 1e-4, "high": 1e-3, "n": 3, "scale": "log"}),
        (LR, "1e-4 .. 1e-3 x5 linear", {"low": 1e-4, "high": 1e-3, "n": 5, "scale": "linear"}),
        (R, "4..16 x3", {"low": 4, "high": 16, "n": 3, "scale": "linear"}),
        (R, " 4 , 8 ,", [4, 8]),
        ("data.max_train_rows", "100, none", [100, None]),
        ("quantization.method", "nf4, none", ["nf4", "none"]),
        ("lora.use_dora", "true, false", [True, False]),
        ("training.gradient_checkpointing", "auto, true", ["auto", True]),
        ("lora.target_modules", "all-linear; q_proj, v_proj", ["all-linear", ["q_proj", "v_proj"]]),
        ("lora.target_modules", "q_proj, v_proj", [["q_proj", "v_proj"]]),
        ("model.base_model", "../models/a, b/c", ["../models/a", "b/c"]),
        ("data.prompt_template", "plain; Q: {{ instruction }}, A:", ["plain", "Q: {{ instruction }}, A:"]),
    ],
)
def test_an_axis_is_a_list_or_a_range(name: str, text: str, axis: Any) -> None:
    assert read_axis(name, text) == axis


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (R, "4, x", "This must be a whole number: x"),
        (R, "4..x", "This must be a whole number: x"),
        (R, "0", "This must be at least 1: 0"),
        (LR, "2", "This must be at most 1: 2"),
        ("training.optim", "adam, sgdd", "This must be 'adamw_torch'"),
    ],
)
def test_a_value_that_is_none_is_named_with_its_axis(name: str, text: str, sentence: str) -> None:
    errors = wrong(read_axis, name, text)
    assert list(errors) == [f"axes.{name}"]
    assert errors[f"axes.{name}"].startswith(sentence)


def test_a_list_of_runs_has_a_line_each() -> None:
    wide, some = "Wide | lora.r=16, lora.lora_alpha = 32 | more | capacity", "Some | lora.target_modules=q_proj, v_proj"
    text = f"Baseline\n\n{wide}\n{some}"
    assert read_runs(text) == [
        Named("Baseline"),
        Named("Wide", "more | capacity", {R: 16, "lora.lora_alpha": 32}),
        Named("Some", "", {"lora.target_modules": ["q_proj", "v_proj"]}),
    ]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("a\nb | r=4", "runs.1.set.r"),
        ("a | lora.r", "runs.0.set.lora.r"),
        ("a | lora.r=x", "runs.0.set.lora.r"),
        ("a | lora.r=4, lora.rank=4", "runs.0.set.lora.rank"),
    ],
)
def test_a_line_that_is_wrong_is_named(text: str, field: str) -> None:
    assert list(wrong(read_runs, text)) == [field]


def test_the_reference_study_survives_being_written_and_read() -> None:
    config = parse({"model": {"base_model": "a/b"}, "data": {"dataset": 1}})
    study = reference_study(config, 10)
    base = run_config.flatten(config.model_dump())
    read = read_runs(write_runs(study, base))
    assert [(run.name, run.notes) for run in read] == [(name, notes) for name, notes, _ in study]
    assert [base | run.set for run in read] == [base | changes for _, _, changes in study]


def test_nothing_typed_is_no_study() -> None:
    assert not Study.of({"linked": "true", "method": "grid", "axes.lora.r": "  ", "seeds": ""})


def test_alpha_goes_with_rank_where_that_is_asked_for() -> None:
    config = parse({"model": {"base_model": "a/b"}, "data": {"dataset": 1}})
    typed = {"axes.lora.r": "4, 16"}
    alphas = [
        [v.config.lora.lora_alpha for v in Study.of(typed | {"linked": linked}).variants(config)]
        for linked in ("true", "false")
    ]
    assert alphas == [[16, 8, 32], [16, 16, 16]]


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"seeds": "1, x"}, "seeds"),
        ({"axes.lora.r": "4", "max_runs": "-1"}, "max_runs"),
        ({"axes.lora.r": "4", "method": "random"}, "max_runs"),
        ({"axes.lora.r": "4", "method": "all"}, "method"),
        ({"axes.lora.r": "4", "runs": "a"}, "runs"),
        ({"axes.training.load_best_model_at_end": "true"}, "data.validation_fraction"),
    ],
)
def test_what_cannot_be_is_an_error_of_its_field(typed: dict[str, str], field: str) -> None:
    config = parse({"model": {"base_model": "a/b"}, "data": {"dataset": 1}})
    assert list(wrong(Study.of(typed).variants, config)) == [field]


def test_only_the_settings_of_a_form_make_its_configuration() -> None:
    assert study_form.settings_only({"lora.r": "4", "axes.lora.r": "8"}) == {"lora.r": "4"}
