from typing import Any

import pytest

from app import run_config
from app.errors import Invalid
from app.web import forms

NEEDED = {"model.base_model": "sample/clinic-2m", "data.dataset": "1"}


def parsed(**changes: str) -> dict[str, Any]:
    typed = forms.defaults() | NEEDED | changes
    return run_config.flatten(run_config.parse(forms.read(typed), strict=False).model_dump())


def test_every_setting_stands_in_exactly_one_group() -> None:
    shown = [control.name for group in forms.groups() for control in group.controls]
    assert sorted(shown) == sorted(name for name, _ in run_config.fields())


def test_common_settings_are_not_folded() -> None:
    in_sight = {control.name for group in forms.groups() if not group.folded for control in group.controls}
    assert in_sight == run_config.COMMON


def test_an_untouched_form_is_the_default_configuration() -> None:
    config = run_config.parse({"model": {"base_model": "sample/clinic-2m"}, "data": {"dataset": 1}})
    assert parsed() == run_config.flatten(config.model_dump())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("training.learning_rate", 2e-4),
        ("training.learning_rate", 1.25e-05),
        ("training.learning_rate", 0.1 + 0.2),
        ("training.num_train_epochs", 2.5),
        ("training.num_train_epochs", 3.0),
        ("data.max_train_rows", None),
        ("data.max_train_rows", 300),
        ("lora.target_modules", "all-linear"),
        ("lora.target_modules", ["q_proj", "v_proj"]),
        ("training.gradient_checkpointing", "auto"),
        ("training.gradient_checkpointing", False),
        ("quantization.double_quant", False),
        ("model.revision", "main"),
        ("data.prompt_template", "\n  Q: {{ instruction }}\n\nA:\n"),
    ],
)
def test_what_a_form_shows_reads_back_as_the_same_value(name: str, value: Any) -> None:
    assert parsed(**{name: forms.text_of(value)})[name] == value


def test_small_numbers_are_shown_as_people_write_them() -> None:
    assert [forms.text_of(v) for v in (2e-4, 1.5e-5, 0.05, 3.0, 1e-3)] == ["2e-4", "1.5e-5", "0.05", "3", "0.001"]


def test_a_browsers_line_ends_do_not_change_a_template() -> None:
    typed = "{{ instruction }}\r\n\r\n### Answer:\r\n"
    assert parsed(**{"data.prompt_template": typed})["data.prompt_template"] == "{{ instruction }}\n\n### Answer:\n"


def test_blanks_around_a_word_do_not_make_it_a_template() -> None:
    assert parsed(**{"data.prompt_template": " plain\r\n"})["data.prompt_template"] == "plain"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("lora.r", "", "This is needed"),
        ("lora.r", "many", "This must be a whole number"),
        ("lora.r", "4.5", "This must be a whole number"),
        ("lora.r", "5000", "This must be at most 1024"),
        ("training.learning_rate", "0", "This must be more than 0"),
        ("training.max_grad_norm", "inf", "This must be a finite number"),
        ("lora.target_modules", "q_proj,,v_proj", "a layer name is empty"),
        ("lora.rank", "4", "There is no such setting"),
        ("colour.red", "1", "There is no such setting"),
    ],
)
def test_what_is_not_allowed_is_said_beside_its_field(name: str, text: str, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        parsed(**{name: text})
    [error] = caught.value.errors
    assert error.message == sentence
    assert name.startswith(error.field)


def test_limits_are_attributes_of_the_input() -> None:
    assert forms.CONTROLS["lora.r"].limits == {"min": "1", "max": "1024", "step": "1"}
    assert forms.CONTROLS["training.learning_rate"].limits["step"] == "any"
    assert forms.CONTROLS["quantization.method"].choices == ("nf4", "fp4", "int8", "none")
    assert forms.CONTROLS["training.gradient_checkpointing"].choices == ("auto", "true", "false")
