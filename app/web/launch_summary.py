"""What a launch will do, in a few words, from settings that may still be half typed."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sqlmodel import Session, func, select

from app.config_sections import DataConfig, LoraConfig, TrainingConfig
from app.data import row_counts
from app.data.row_counts import Rows
from app.launch import launch_facts
from app.launch.launch_facts import ModelShape
from app.models import Run
from app.run_config import RunConfig
from app.settings import Settings
from app.status import ENDED
from app.web import forms
from app.web.numbers import NOTHING, number, share

Section = TypeVar("Section", bound=BaseModel)

SPLIT = ("dataset", "eval_fraction", "validation_fraction", "split_seed", "max_train_rows")
BATCH = ("per_device_train_batch_size", "gradient_accumulation_steps", "max_tokens_per_step")


def facts(session: Session, settings: Settings, texts: Mapping[str, str], shape: ModelShape | None) -> dict[str, str]:
    """By name, as text; a part that cannot be said yet is a dash."""
    typed = forms.read(texts)
    data = _part(DataConfig, typed, SPLIT)
    rows = row_counts.count(session, settings, data) if data else None
    batch = _part(TrainingConfig, typed, BATCH)
    schedule = _part(TrainingConfig, typed, (*BATCH, "num_train_epochs", "max_steps"))
    lora = _part(LoraConfig, typed, ("r", "target_modules", "bias", "use_dora"))
    return {
        "starts": _starts(session),
        "rows": f"{_about(rows)}{number(rows.train)} train, {number(rows.held_out)} held out" if rows else NOTHING,
        "effective": _effective(batch) if batch else NOTHING,
        "batch": _batch(batch) if batch else NOTHING,
        "steps": _steps(schedule, rows) if schedule else NOTHING,
        "schedule": _schedule(schedule, rows) if schedule else NOTHING,
        "trained": _trained(lora, shape) if lora else NOTHING,
    }


def _part(model: type[Section], typed: Mapping[str, Any], names: Sequence[str]) -> Section | None:
    """The section with these settings as typed, the others by default; None where one of them is wrong."""
    section = next(name for name, field in RunConfig.model_fields.items() if field.annotation is model)
    try:
        return model.model_validate({name: value for name, value in typed.get(section, {}).items() if name in names})
    except ValidationError:
        return None


def _about(rows: Rows | None) -> str:
    return "" if rows is None or rows.exact else "about "


def _effective(training: TrainingConfig) -> str:
    if training.max_tokens_per_step is not None:
        return f"up to {number(training.max_tokens_per_step)} tokens"
    return number(training.effective_batch_size)


def _batch(training: TrainingConfig) -> str:
    if training.max_tokens_per_step is not None:
        return f"{_effective(training)} in {number(training.gradient_accumulation_steps)} passes"
    rows, passes = training.per_device_train_batch_size, training.gradient_accumulation_steps
    return f"{number(rows)} × {number(passes)} = {number(training.effective_batch_size)}"


def _steps(training: TrainingConfig, rows: Rows | None) -> str:
    if training.max_steps is not None:
        return number(training.max_steps)
    steps = launch_facts.total_steps(training, rows.train) if rows else None
    return NOTHING if steps is None else _about(rows) + number(steps)


def _schedule(training: TrainingConfig, rows: Rows | None) -> str:
    if training.max_steps is not None:
        return f"{number(training.max_steps)}, whatever the epochs"
    each = launch_facts.steps_per_epoch(training, rows.train) if rows else None
    if each is None:
        return NOTHING
    return f"{forms.text_of(training.num_train_epochs)} × {_about(rows)}{number(each)} = {_steps(training, rows)}"


def _trained(lora: LoraConfig, shape: ModelShape | None) -> str:
    if shape is None:
        return "known once loaded"
    trained = launch_facts.trainable_parameters(lora, shape)
    if not trained:
        return "none: no layer has such a name"
    return f"{number(trained)}, {share(launch_facts.trainable_share(lora, shape), 2)}"


def _starts(session: Session) -> str:
    waiting = session.exec(select(func.count()).select_from(Run).where(Run.status.not_in(ENDED))).one()  # type: ignore[attr-defined]
    if not waiting:
        return "starts at once"
    return f"starts after {waiting} other {'run' if waiting == 1 else 'runs'}"
