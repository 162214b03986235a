"""What runs will take, before they are launched: memory and time, what that rests on, how far off it has been.

Memory is the shape's arithmetic, set right by finished runs (app.launch.peaks), time is carried over from such runs
(app.launch.timing). A forecast is kept with its run, so that it can be held against what came.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from statistics import median
from typing import Any

from sqlmodel import Session

from app.data import row_counts
from app.data.row_counts import Rows
from app.launch import base_models, model_shape, past, peaks, row_lengths, timing
from app.launch.launch_facts import ModelShape
from app.launch.passes import Lengths
from app.launch.past import Past
from app.launch.peaks import Device, Peak
from app.run_config import RunConfig, flatten
from app.settings import Settings

# Above this share of the device's memory a run that fits on paper may not fit.
TIGHT = 0.9
# The newest forecasts that are held against what came.
CHECKED = 50


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
class Base:
    """A base model on the device that the next run will have: its shape where its files tell, and its finished runs."""

    shape: ModelShape | None
    runs: Sequence[Past]
    beyond: Sequence[int]


class Forecaster:
    """What the forecasts of one launch have in common."""

    def __init__(self, session: Session, settings: Settings, device: Device, found: Sequence[Past]) -> None:
        self.session, self.settings, self.device = session, settings, device
        self.past = [run for run in found if run.device == device.name]
        self.measured = {timing.baseline_of(run.flat) for run in self.past}
        self.base = cache(self._base)

    def of(self, config: RunConfig) -> Forecast:
        base = self.base(config.model.base_model, config.model.revision, config.quantization.method)
        rows = row_counts.count(self.session, self.settings, config.data)
        told = ((run.flat, run.resources) for run in self.past)
        lengths = row_lengths.find(self.session, self.settings, config, told)
        return Forecast(
            self.device.name, self._memory(config, base, rows, lengths), self._time(config, base, rows, lengths)
        )

    def _base(self, name: str, revision: str | None, method: str) -> Base:
        folder = base_models.folder(self.settings, name)
        shape = model_shape.read(folder) if folder else None
        runs = [run for run in self.past if run.has_base(name, revision)]
        alike = [run for run in runs if run.flat.get("quantization.method") == method] or runs
        return Base(shape, runs, peaks.beyond(alike, shape, self.device) if shape else [])

    def _memory(self, config: RunConfig, base: Base, rows: Rows | None, lengths: Lengths) -> MemoryForecast | None:
        if base.shape is None or rows is None:
            return None
        peak = peaks.forecast(config, base.shape, lengths, rows, self.device, base.beyond)
        if peak is None:
            return None
        return MemoryForecast(
            peak.bytes,
            {**asdict(peak.parts), "other": peak.other},
            self.device.bytes,
            _fits(peak.bytes, self.device.bytes),
            peak.recompute,
            _memory_basis(base.shape, lengths, peak),
            _error(_share(run.forecast.get("memory"), "bytes", run.peak_memory) for run in self.past),
        )

    def _time(self, config: RunConfig, base: Base, rows: Rows | None, lengths: Lengths) -> TimeForecast | None:
        if rows is None:
            return None
        key = timing.baseline_of(flatten(config.model_dump(mode="json")))
        asked = timing.Asked(config, rows.train, rows.held_out, lengths, base_known=key in self.measured)
        self.measured.add(key)  # by this run, when the next of the launch begins
        found = timing.seconds(asked, base.shape, base.runs)
        if found is None:
            return None
        seconds, runs = found
        basis = f"From {_runs(runs)} of the same base model on {self.device.name}, those with like settings first."
        error = _error(_share(run.forecast.get("time"), "seconds", run.seconds) for run in self.past)
        return TimeForecast(seconds, basis, error)


def forecast(session: Session, settings: Settings, configs: Sequence[RunConfig]) -> list[Forecast]:
    """Of each, run one after another; reads the headers of the base models' files and no weights."""
    name, worker = past.hardware(session), past.living(session)
    if name is None:
        return [Forecast(None) for _ in configs]
    device = Device(name, worker.memory_total_bytes if worker else None)
    forecaster = Forecaster(session, settings, device, past.finished(session))
    return [forecaster.of(config) for config in configs]


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


def _fits(total: int, there: int | None) -> str | None:
    if there is None:
        return None
    return "no" if total > there else "tight" if total > TIGHT * there else "yes"


def _memory_basis(shape: ModelShape, lengths: Lengths, peak: Peak) -> str:
    layers = shape.decoder.layers if shape.decoder else 0
    rows = f"rows of up to {lengths.longest:,} tokens" + ("" if lengths.counted else " (reckoned from characters)")
    said = f"From the base's shape ({layers} layers, {shape.parameters / 1e6:,.0f} million weights) and {rows}"
    if not peak.runs:
        return f"{said}; no run of this base and quantisation has finished on this hardware yet."
    return f"{said}, set right by {_runs(peak.runs)} of this base on this hardware."


def _runs(count: int) -> str:
    return f"{count} finished {'run' if count == 1 else 'runs'}"


def _share(said: Mapping[str, Any] | None, name: str, measured: float | None) -> float | None:
    """How far what was said was off, as a share of what was measured."""
    return abs(said[name] - measured) / measured if said and measured else None


def _error(found: Iterable[float | None]) -> Error | None:
    shares = list(islice((share for share in found if share is not None), CHECKED))
    return Error(len(shares), median(shares), max(shares)) if shares else None
