import pytest

from app import run_config
from app.configuration import key
from app.errors import Invalid

MINIMAL = {"model": {"base_model": "sample/clinic-2m"}, "data": {"dataset": 1}}


def errors_of(data: object, *, strict: bool = True) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        run_config.parse(data, strict=strict)
    return {error.field: error.message for error in caught.value.errors}


def test_everything_but_model_and_dataset_has_a_default() -> None:
    assert set(errors_of({"model": {}, "data": {}})) == {"model.base_model", "data.dataset"}
    assert run_config.parse(MINIMAL).training.effective_batch_size == 16


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("training.learning_rate", 0),
        ("training.learning_rate", "2e-4"),
        ("training.num_train_epochs", -1.0),
        ("training.per_device_train_batch_size", True),
        ("training.optim", "adamw_hf"),
        ("lora.r", 0),
        ("lora.lora_dropout", 1.0),
        ("lora.target_modules", []),
        ("lora.target_modules", "q_proj"),
        ("lora.target_modules", ["q_proj", " "]),
        ("data.eval_fraction", 0.0),
        ("data.max_length", 8),
        ("quantization.method", "nf8"),
        ("evaluation.max_new_tokens", 0),
        ("training.colour", "blue"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_by_its_dotted_field(field: str, value: object) -> None:
    flat = run_config.flatten(MINIMAL) | {field: value}
    assert list(errors_of(run_config.nest(flat))) == [field]


def test_text_becomes_numbers_only_for_forms() -> None:
    data = run_config.nest(run_config.flatten(MINIMAL) | {"training.learning_rate": "2e-4", "lora.r": "16"})
    assert run_config.parse(data, strict=False).lora.r == 16
    assert set(errors_of(data)) == {"training.learning_rate", "lora.r"}


@pytest.mark.parametrize("choice", [{"load_best_model_at_end": True}, {"early_stopping_patience": 2}])
def test_choosing_by_held_out_rows_is_refused(choice: dict[str, object]) -> None:
    assert list(errors_of({**MINIMAL, "training": choice})) == ["data.validation_fraction"]
    with_rows = {**MINIMAL, "data": {"dataset": 1, "validation_fraction": 0.1}, "training": choice}
    assert run_config.parse(with_rows).data.validation_fraction == 0.1


def test_tokens_a_step_hold_the_longest_row_in_each_pass() -> None:
    def asked(tokens: int) -> dict[str, object]:
        sizes = {"max_tokens_per_step": tokens, "gradient_accumulation_steps": 4}
        return {**MINIMAL, "data": {"dataset": 1, "max_length": 512}, "training": sizes}

    assert list(errors_of(asked(2047))) == ["training.max_tokens_per_step"]
    training = run_config.parse(asked(2048)).training
    assert (training.max_tokens_per_pass, training.effective_batch_size) == (512, None)


def test_dotted_names_go_there_and_back() -> None:
    config = run_config.parse(MINIMAL).model_dump()
    assert run_config.nest(run_config.flatten(config)) == config
    assert list(run_config.flatten(config)) == [name for name, _ in run_config.fields()]


def test_every_setting_is_labelled_and_explained() -> None:
    for name, field in run_config.fields():
        assert run_config.label(name)
        assert field.description, name


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        run_config.parse(MINIMAL).lora.r = 4  # type: ignore[misc]


def test_configurations_are_known_by_all_but_their_seed() -> None:
    settings = {"lora": {"r": 8}, "training": {"seed": 1, "optim": "adam"}}
    assert key(settings) == key({"training": {"optim": "adam", "seed": 2}, "lora": {"r": 8}})
    assert key(settings) != key({**settings, "lora": {"r": 16}})
    assert key({}) == key({"training": {}})
