"""The memory that a run will take: the shape's arithmetic, set right by what finished runs took beyond it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

from app.launch import memory, passes
from app.launch.launch_facts import ModelShape
from app.launch.memory import Memory
from app.launch.passes import Lengths
from app.launch.past import Past
from app.run_config import RunConfig

# A training process on CPU without model and batch: Python, torch and what measuring a small base leaves behind.
LIBRARIES = 620_000_000
# The newest runs that set the arithmetic right.
SETTING_RIGHT = 20


@dataclass(frozen=True)
class Device:
    """What a run is computed on; `bytes` is None where no worker tells."""

    name: str
    bytes: int | None

    @property
    def on_gpu(self) -> bool:
        return self.name != "CPU"


@dataclass(frozen=True)
class Peak:
    """`other` is what the arithmetic does not know, `runs` from how many runs it was taken."""

    parts: Memory
    other: int
    recompute: bool
    runs: int

    @property
    def bytes(self) -> int:
        return self.parts.total + self.other


def forecast(
    config: RunConfig, shape: ModelShape, lengths: Lengths, rows: int, device: Device, beyond: Sequence[int]
) -> Peak | None:
    """`beyond`: what runs on this base took beyond the arithmetic, by `beyond` below."""
    found = arithmetic(config, shape, lengths, rows, device)
    if found is None:
        return None
    parts, recompute = found
    other = max(0, round(median(beyond))) if beyond else 0 if device.on_gpu else LIBRARIES
    return Peak(parts, other, recompute, len(beyond))


def arithmetic(
    config: RunConfig, shape: ModelShape, lengths: Lengths, rows: int, device: Device
) -> tuple[Memory, bool] | None:
    """And whether activations are computed again, which `auto` leaves to what is free on the GPU."""
    packed = config.training.packing is not False
    largest = passes.passes(config, lengths, rows, packed=packed).largest
    asked = config.training.gradient_checkpointing
    made = memory.training(config, shape, largest, on_gpu=device.on_gpu, recompute=asked is True)
    if made is None or asked != "auto" or not device.on_gpu or device.bytes is None:
        return (made, asked is True) if made else None
    if not memory.is_too_much(made, device.bytes - made.weights):
        return made, False
    again = memory.training(config, shape, largest, on_gpu=True, recompute=True)
    return (again, True) if again else None


def beyond(runs: Iterable[Past], shape: ModelShape, device: Device) -> list[int]:
    """Libraries, fragments, what measuring the base left behind: by run, the newest first."""
    return list(islice(_beyond(runs, shape, device), SETTING_RIGHT))


def _beyond(runs: Iterable[Past], shape: ModelShape, device: Device) -> Iterable[int]:
    for run in runs:
        if run.peak_memory and run.lengths and run.config:
            made = arithmetic(run.config, shape, run.lengths, run.train_rows, device)
            if made:
                yield run.peak_memory - made[0].total
