"""What a launch makes, before it is launched: its runs with what each differs by, the time they may take, remarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from app import run_config, sweep
from app.errors import FieldError, Invalid
from app.launch import forecast
from app.launch.forecast import Forecast, MemoryForecast, TimeForecast
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
    forecast: Forecast


@dataclass(frozen=True)
class Plan:
    """`lines` of the runs, the first of them; nothing but `errors` where something is wrong."""

    runs: int = 1
    lines: Sequence[Line] = ()
    notes: Sequence[str] = ()
    forecasts: Sequence[Forecast] = ()
    errors: Sequence[FieldError] = ()

    @property
    def unlisted(self) -> int:
        return self.runs - len(self.lines) if self.lines else 0

    @property
    def seconds(self) -> float | None:
        return forecast.total_seconds(self.forecasts)

    @property
    def untimed(self) -> int:
        """Runs whose time nothing tells."""
        return sum(one.time is None for one in self.forecasts)

    @property
    def time(self) -> TimeForecast | None:
        """The first that is known: its basis and error are those of all of its kind."""
        return next((one.time for one in self.forecasts if one.time), None)

    @property
    def memory(self) -> MemoryForecast | None:
        return forecast.largest(self.forecasts)

    @property
    def device(self) -> str | None:
        return self.forecasts[0].device if self.forecasts else None


def plan(session: Session, settings: Settings, typed: Mapping[str, str]) -> Plan:
    try:
        config = run_config.parse(forms.read(study_form.settings_only(typed)), strict=False)
        made = variants(typed, config)
    except Invalid as error:
        return Plan(errors=beside_fields(error.errors))
    forecasts = forecast.forecast(session, settings, [variant.config for variant in made])
    lines = [_line(v, config, said) for v, said in zip(made[:LISTED], forecasts, strict=False)]
    return Plan(len(made), lines, equivalents.notes(made), forecasts)


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


def _line(variant: Variant, config: RunConfig, said: Forecast) -> Line:
    differs = [(launch_view.short_label(name), sweep.value_said(value)) for name, value in variant.changes.items()]
    batch, usual = variant.config.training.effective_batch_size, config.training.effective_batch_size
    return Line(variant.name, differs, numbers.number(batch) if batch and batch != usual else "", said)
