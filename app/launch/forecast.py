"""What runs will take, before they are launched: memory and time, what that rests on, how far off it has been.

Memory is the shape's arithmetic (app.launch.memory), set right by what finished runs of the same base, quantisation and
hardware took beyond it. A forecast is kept with its run, so that it can be held against what came.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from statistics import median
from typing import Any

from sqlmodel import Session

from app import run_config
from app.data import row_counts
from app.errors import Invalid
from app.launch import base_models, memory, model_shape, past
from app.launch.launch_facts import ModelShape
from app.launch.memory import Memory
from app.launch.past import Kind, Past
from app.models import Dataset
from app.run_config import RunConfig, flatten
from app.settings import Settings

# A training process on CPU without model and batch: Python, torch and what measuring a small base leaves behind.
LIBRARIES = 720_000_000
# Above this share of the device's memory a run that fits on paper may not fit.
TIGHT = 0.9
# The newest runs that set the arithmetic right, and the newest forecasts that are held against what came.
SETTING_RIGHT, CHECKED = 20, 50
# What decides how many tokens the longest row has.
OF_ROWS = ("model.base_model", "data.dataset", "data.max_length", "data.prompt_template")


@dataclass(frozen=True)
class Error:
    """How far forecasts of earlier runs on this hardware were off, as shares of what was measured."""

    runs: int
    middle: float
    most: float


@dataclass(frozen=True)
class MemoryForecast:
    """Bytes at the peak, and `parts` by what takes them; `device_bytes` is None where no worker tells."""

    bytes: int
    parts: dict[str, int]
    device_bytes: int | None
    fits: str | None  # yes, tight or no
    recompute: bool
    basis: str
    error: Error | None


@dataclass(frozen=True)
class TimeForecast:
    """Seconds from start to end, loading and evaluation included."""

    seconds: float
    basis: str
    error: Error | None


@dataclass(frozen=True)
class Forecast:
    """A part is None where nothing can be said; `device` is what the next run will be computed on."""

    device: str | None
    memory: MemoryForecast | None = None
    time: TimeForecast | None = None

    @property
    def seconds(self) -> float | None:
        return self.time.seconds if self.time else None


@dataclass(frozen=True)
class Here:
    """What forecasts have in common: finished runs, newest first, and the device they are for."""

    past: Sequence[Past]
    device: str
    device_bytes: int | None

    @property
    def on_gpu(self) -> bool:
        return self.device != "CPU"

    @property
    def on_device(self) -> Iterator[Past]:
        return (run for run in self.past if run.kind.device == self.device)


def forecast(session: Session, settings: Settings, configs: Sequence[RunConfig]) -> list[Forecast]:
    """Of each; reads the headers of the base models' files and no weights."""
    device, worker = past.hardware(session), past.living(session)
    if device is None:
        return [Forecast(None) for _ in configs]
    here = Here(past.finished(session), device, worker.memory_total_bytes if worker else None)

    @cache
    def shape(base_model: str) -> ModelShape | None:
        folder = base_models.folder(settings, base_model)
        return model_shape.read(folder) if folder else None

    @cache
    def beyond(kind: Kind) -> Sequence[int]:
        known = shape(str(kind.settings[0]))
        return list(_beyond(here, kind, known)) if known else []

    return [
        Forecast(
            device,
            _memory(session, config, here, shape(config.model.base_model), beyond),
            _time(session, settings, config, here),
        )
        for config in configs
    ]


def total_seconds(made: Sequence[Forecast]) -> float | None:
    """Of those whose time is known, one after another; None where none is."""
    known = [one.seconds for one in made if one.seconds is not None]
    return sum(known) if known else None


def largest(made: Sequence[Forecast]) -> MemoryForecast | None:
    """That of the run that takes most memory."""
    return max((one.memory for one in made if one.memory), key=lambda memory: memory.bytes, default=None)


def to_api(made: Forecast) -> dict[str, Any]:
    """As POST /estimates answers, and as it is kept with a run."""
    return asdict(made)


def _memory(
    session: Session,
    config: RunConfig,
    here: Here,
    shape: ModelShape | None,
    beyond: Callable[[Kind], Sequence[int]],
) -> MemoryForecast | None:
    if shape is None:
        return None
    longest, measured = _longest(session, config, here)
    found = _arithmetic(config, shape, longest, here)
    if found is None:
        return None
    parts, recompute = found
    taken = beyond(Kind.of(config, here.device))
    other = max(0, round(median(taken))) if taken else 0 if here.on_gpu else LIBRARIES
    total = parts.total + other
    return MemoryForecast(
        total,
        {**asdict(parts), "other": other},
        here.device_bytes,
        _fits(total, here.device_bytes),
        recompute,
        _basis(shape, longest, measured=measured, runs=len(taken)),
        _error(_share(run.forecast.get("memory"), "bytes", run.peak_memory) for run in here.on_device),
    )


def _fits(total: int, there: int | None) -> str | None:
    if there is None:
        return None
    return "no" if total > there else "tight" if total > TIGHT * there else "yes"


def _arithmetic(config: RunConfig, shape: ModelShape, longest: int, here: Here) -> tuple[Memory, bool] | None:
    """And whether activations are computed again, which `auto` leaves to what is free on the GPU."""
    asked = config.training.gradient_checkpointing
    made = memory.training(config, shape, longest=longest, on_gpu=here.on_gpu, recompute=asked is True)
    if made is None or asked != "auto" or not here.on_gpu or here.device_bytes is None:
        return (made, asked is True) if made else None
    if not memory.is_too_much(made, here.device_bytes - made.weights):
        return made, False
    again = memory.training(config, shape, longest=longest, on_gpu=True, recompute=True)
    return (again, True) if again else None


def _beyond(here: Here, kind: Kind, shape: ModelShape) -> Iterator[int]:
    """What runs of the kind took beyond the arithmetic: libraries, fragments, what measuring the base left behind."""
    alike = (run for run in here.past if run.kind.has_base_of(kind) and run.peak_memory and run.longest)
    for run in itertools.islice(alike, SETTING_RIGHT):
        try:
            config = run_config.parse(run.config)
        except Invalid:  # of an older version
            continue
        made = _arithmetic(config, shape, run.longest or 0, here)
        if made:
            yield (run.peak_memory or 0) - made[0].total


def _longest(session: Session, config: RunConfig, here: Here) -> tuple[int, bool]:
    """Tokens of the longest row, and whether a run on these rows has counted them; else from its characters."""
    wanted = _rows(config.model_dump(mode="json"))
    counted = next((run.longest for run in here.past if run.longest and _rows(run.config) == wanted), None)
    if counted:
        return counted, True
    dataset = session.get(Dataset, config.data.dataset)
    statistics = dataset.statistics if dataset else {}
    sides = (statistics.get(name) or {} for name in ("prompt_characters", "response_characters"))
    characters = sum(int(side.get("max") or 0) for side in sides)
    limit = config.data.max_length
    return (memory.longest_row(characters, limit) if characters else limit), False


def _rows(config: Mapping[str, Any]) -> list[Any]:
    flat = flatten(config)
    return [flat.get(name) for name in OF_ROWS]


def _basis(shape: ModelShape, longest: int, *, measured: bool, runs: int) -> str:
    layers = shape.decoder.layers if shape.decoder else 0
    rows = f"rows of up to {longest:,} tokens" + ("" if measured else " (reckoned from characters)")
    said = f"From the base's shape ({layers} layers, {shape.parameters / 1e6:,.0f} million weights) and {rows}"
    if not runs:
        return f"{said}; no run of this base and quantisation has finished on this hardware yet."
    return f"{said}, set right by {_runs(runs)} of this base on this hardware."


def _time(session: Session, settings: Settings, config: RunConfig, here: Here) -> TimeForecast | None:
    rows = row_counts.count(session, settings, config.data)
    if rows is None:
        return None
    kind = Kind.of(config, here.device)
    seconds = past.seconds(here.past, kind, past.examples(config, rows.train))
    if seconds is None:
        return None
    runs = sum(run.kind == kind for run in here.past)
    basis = f"From {_runs(runs)} of the same base model, quantisation and max length on {here.device}."
    error = _error(_share(run.forecast.get("time"), "seconds", run.seconds) for run in here.on_device)
    return TimeForecast(seconds, basis, error)


def _runs(count: int) -> str:
    return f"{count} finished {'run' if count == 1 else 'runs'}"


def _share(said: Mapping[str, Any] | None, name: str, measured: float | None) -> float | None:
    """How far what was said was off, as a share of what was measured."""
    return abs(said[name] - measured) / measured if said and measured else None


def _error(found: Iterable[float | None]) -> Error | None:
    shares = list(itertools.islice((share for share in found if share is not None), CHECKED))
    return Error(len(shares), median(shares), max(shares)) if shares else None
