"""What only the server can know about a configuration before it is queued: its data set, its base model, leaks."""

from collections.abc import Iterator
from typing import Any

from sqlmodel import Session

from app.data import leaks, prompts
from app.data.dataset_import import statistics
from app.data.leaks import Sides
from app.errors import FieldError, Invalid
from app.launch import base_models
from app.models import Dataset
from app.run_config import RunConfig
from app.settings import Settings


def check(session: Session, settings: Settings, config: RunConfig) -> list[str]:
    """Warnings that belong beside the run; raises Invalid for what cannot work. Leaves no transaction open."""
    dataset = session.get(Dataset, config.data.dataset)
    if dataset is None:
        raise Invalid.one("data.dataset", f"There is no data set {config.data.dataset}")
    known = dataset.statistics
    session.rollback()  # files are read from here on, and nobody should wait for that with the write lock held
    errors = [*_template_errors(config), *_model_errors(settings, config)]
    try:
        sides = leaks.check(settings.dataset_dir(config.data.dataset), config.data, config.evaluation)
    except Invalid as error:
        raise Invalid([*errors, *error.errors]) from None
    if errors:
        raise Invalid(errors)
    return list(_warnings(known, config, sides))


def _template_errors(config: RunConfig) -> list[FieldError]:
    sentence = prompts.check(config.data.prompt_template)
    return [FieldError("data.prompt_template", sentence)] if sentence else []


def _model_errors(settings: Settings, config: RunConfig) -> list[FieldError]:
    try:
        base_models.check(settings, config)
    except Invalid as error:
        return error.errors
    return []


def _warnings(known: dict[str, Any], config: RunConfig, sides: Sides) -> Iterator[str]:
    if sides.leaked:
        yield (
            f"{sides.leaked} of {sides.held_out} held-out rows have a response that is also trained on, as "
            "data.allow_leakage permits: results are too good"
        )
    if statistics.is_default_split(config.data) and (sentence := statistics.near_duplicates_warning(known)):
        yield sentence
