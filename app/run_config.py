"""RunConfig: everything a run is asked to do, in one frozen model.

Names are those of transformers, peft and bitsandbytes where they have one. Dotted names (`lora.r`) address a field
in forms, sweep axes, filters and table columns; the sections' fields are in app.config_sections.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import BaseModel, ValidationError, model_validator
from pydantic.fields import FieldInfo

from app.config_sections import (
    DataConfig,
    EvaluationConfig,
    LoraConfig,
    ModelConfig,
    QuantizationConfig,
    Section,
    TrainingConfig,
)
from app.errors import Invalid
from app.findings import field_error


class RunConfig(Section):
    model: ModelConfig
    quantization: QuantizationConfig = QuantizationConfig()
    lora: LoraConfig = LoraConfig()
    data: DataConfig
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @model_validator(mode="after")
    def _choosing_needs_validation_rows(self) -> Self:
        chooses = self.training.load_best_model_at_end or self.training.early_stopping_patience is not None
        if chooses and self.data.validation_fraction == 0:
            raise ValueError(
                "data.validation_fraction: early stopping and keeping the best need validation rows; "
                "0.1 takes a tenth of the training rows"
            )
        return self

    @model_validator(mode="after")
    def _the_longest_row_fits_into_a_pass(self) -> Self:
        room = self.training.max_tokens_per_pass
        if room is not None and room < self.data.max_length:
            passes = self.training.gradient_accumulation_steps
            raise ValueError(
                f"training.max_tokens_per_step: {passes * self.data.max_length} at least, so that each of the "
                f"{passes} passes holds a row of {self.data.max_length} tokens (data.max_length); or less accumulation"
            )
        return self


def parse(data: Any, *, strict: bool = True) -> RunConfig:
    """The one validation of form (`strict=False`: numbers are text there) and API; raises Invalid by dotted name."""
    try:
        return RunConfig.model_validate(data, strict=strict)
    except ValidationError as error:
        raise Invalid([field_error(item) for item in error.errors()]) from None


def fields() -> Iterator[tuple[str, FieldInfo]]:
    """Every setting as (dotted name, field), in the order of the form."""
    for group, section in RunConfig.model_fields.items():
        model = section.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        for name, field in model.model_fields.items():
            yield f"{group}.{name}", field


def label(name: str) -> str:
    """What people call the setting `lora.r`."""
    return LABELS[name]


def value_text(value: Any, plain_from: float = 0.01) -> str:
    """A setting's value as people write it: 2e-4, not 0.0002; smaller numbers than `plain_from` have an exponent."""
    if isinstance(value, list):
        return ", ".join(map(value_text, value))
    if not isinstance(value, float):
        return "none" if value is None else str(value)
    if value == 0 or plain_from <= abs(value) < 1e6:
        return f"{value:g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """{"lora": {"r": 8}} as {"lora.r": 8}."""
    return {f"{group}.{name}": value for group, section in config.items() for name, value in section.items()}


def nest(flat: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """{"lora.r": 8} as {"lora": {"r": 8}}; a name without a dot becomes an unknown group, and so a clear error."""
    nested: dict[str, dict[str, Any]] = {}
    for name, value in flat.items():
        group, _, field = name.partition(".")
        nested.setdefault(group, {})[field] = value
    return nested


def _extra(field: FieldInfo) -> dict[str, Any]:
    assert isinstance(field.json_schema_extra, dict)
    return dict(field.json_schema_extra)


LABELS: dict[str, str] = {name: _extra(field)["label"] for name, field in fields()}
UNITS: dict[str, str] = {name: _extra(field)["unit"] for name, field in fields()}
COMMON: frozenset[str] = frozenset(name for name, field in fields() if _extra(field)["common"])
