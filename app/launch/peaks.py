"""The memory that a run will take: the shape's arithmetic, set right by what finished runs took beyond it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from statistics import median

from app.data.row_counts import Rows
from app.launch import memory, passes
from app.launch.launch_facts import ModelShape
from app.launch.memory import Memory
from app.launch.passes import Lengths
from app.launch.past import Past
from app.run_config import RunConfig

# A training process on CPU without model and batch: Python, torch and what measuring a small base leaves behind.
LIBRARIES = 670_000_000
# On CPU the allocator holds on to what was freed: of passes up to 8,000 tokens it had so many times the bytes.
HELD = 1.3
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
    config: RunConfig, shape: ModelShape, lengths: Lengths, rows: Rows, device: Device, beyond: Sequence[int]
) -> Peak | None:
    """`beyond`: what runs on this base took beyond the arithmetic, by `beyond` below."""
    found = arithmetic(config, shape, lengths, rows, device)
    if found is None:
        return None
    parts, recompute = found
    other = max(0, round(median(beyond))) if beyond else 0 if device.on_gpu else LIBRARIES
    return Peak(parts, other, recompute, len(beyond))


def arithmetic(
    config: RunConfig, shape: ModelShape, lengths: Lengths, rows: Rows, device: Device
) -> tuple[Memory, bool] | None:
    """And whether activations are computed again, which `auto` leaves to what is free on the GPU."""
    packed = config.training.packing is not False
    largest = passes.passes(config, lengths, rows.train, packed=packed).largest
    training = partial(memory.training, config, shape, largest, on_gpu=device.on_gpu)
    recompute = config.training.gradient_checkpointing is True
    if config.training.gradient_checkpointing == "auto" and device.on_gpu and device.bytes is not None:
        kept = training(recompute=False)
        recompute = kept is not None and memory.is_too_much(kept, device.bytes - kept.weights)
    evaluated = passes.evaluation(config, lengths, rows.train, rows.held_out, on_gpu=device.on_gpu)
    made = training(recompute=recompute, evaluated=evaluated)
    if made is None:
        return None
    return (made if device.on_gpu else _held(made)), recompute


def _held(made: Memory) -> Memory:
    return replace(made, activations=round(HELD * made.activations), logits=round(HELD * made.logits))


def beyond(runs: Iterable[Past], shape: ModelShape, device: Device) -> list[int]:
    """Libraries, fragments, what measuring the base left behind: by run, the newest first."""
    return list(islice(_beyond(runs, shape, device), SETTING_RIGHT))


def _beyond(runs: Iterable[Past], shape: ModelShape, device: Device) -> Iterable[int]:
    for run in runs:
        if run.peak_memory and run.lengths and run.config:
            rows = Rows(run.train_rows, run.held_out, exact=True)
            made = arithmetic(run.config, shape, run.lengths, rows, device)
            if made:
                yield run.peak_memory - made[0].total
