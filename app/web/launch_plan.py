"""What a launch makes, before it is launched: its runs with what each differs by, the time they may take, remarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from app import run_config, sweep
from app.errors import FieldError, Invalid
from app.launch import estimates
from app.launch.estimates import Estimate
from app.run_config import RunConfig
from app.settings import Settings
from app.study import equivalents
from app.sweep import Variant
from app.web import forms, launch_view, numbers, study_form
from app.web.study_form import RUNS, Study

# Of a large study as many are listed; the others are counted.
LISTED = 40


@dataclass(frozen=True)
class Line:
    """A run to be; `batch` is its effective batch size where that is another one than the form's."""

    name: str
    differs: Sequence[tuple[str, str]]
    batch: str
    seconds: float | None


@dataclass(frozen=True)
class Plan:
    """`lines` of the runs, the first of them; nothing but `errors` where something is wrong."""

    runs: int = 1
    lines: Sequence[Line] = ()
    notes: Sequence[str] = ()
    estimate: Estimate | None = None
    errors: Sequence[FieldError] = ()

    @property
    def unlisted(self) -> int:
        return self.runs - len(self.lines) if self.lines else 0


def plan(session: Session, settings: Settings, typed: Mapping[str, str]) -> Plan:
    try:
        config = run_config.parse(forms.read(study_form.settings_only(typed)), strict=False)
        made = variants(typed, config)
    except Invalid as error:
        return Plan(errors=beside_fields(error.errors))
    forecast = estimates.estimate(session, settings, [variant.config for variant in made])
    lines = [_line(v, config, seconds) for v, seconds in zip(made, forecast.seconds, strict=True)]
    return Plan(len(made), lines[:LISTED], equivalents.notes(made), forecast)


def variants(typed: Mapping[str, str], config: RunConfig) -> list[Variant]:
    """The one run of a plain form, or those of a study; raises Invalid keyed by the form's fields."""
    study = Study.of(typed)
    if not study:
        return [Variant("", {}, config)]
    try:
        return study.variants(config)
    except Invalid as error:
        raise Invalid(beside_fields(error.errors)) from None


def beside_fields(errors: Sequence[FieldError]) -> list[FieldError]:
    """What is wrong in a list of runs stands beside its one box, with the line that it is about."""
    return [_of_line(error) if error.field.startswith(f"{RUNS}.") else error for error in errors]


def _of_line(error: FieldError) -> FieldError:
    _, number, part = error.field.split(".", 2)
    setting = part.removeprefix("set.")
    return FieldError(RUNS, f"Line {int(number) + 1}, {setting}: {error.message}")


def _line(variant: Variant, config: RunConfig, seconds: float | None) -> Line:
    differs = [(launch_view.short_label(name), sweep.value_said(value)) for name, value in variant.changes.items()]
    batch, usual = variant.config.training.effective_batch_size, config.training.effective_batch_size
    return Line(variant.name, differs, numbers.number(batch) if batch != usual else "", seconds)
