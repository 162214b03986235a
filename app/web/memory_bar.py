"""What takes a run's memory, as the parts of one bar: as wide as what the device has, or as what is needed if more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.launch.forecast import MemoryForecast
from app.web.numbers import number

WIDTH = 320
# How people call the parts, in the order of the bar, and how each is filled.
PARTS = {
    "weights": ("base weights", "f1"),
    "adapter": ("adapter and optimizer", "f2"),
    "activations": ("activations", "f3"),
    "logits": ("logits", "f6"),
    "other": ("libraries and the rest", "f4"),
}


@dataclass(frozen=True)
class Part:
    name: str
    fill: str
    bytes: int
    at: float
    width: float


@dataclass(frozen=True)
class Bar:
    """`label` says it in words."""

    parts: Sequence[Part]
    label: str
    width: int = WIDTH


def memory_bar(forecast: MemoryForecast) -> Bar:
    scale = WIDTH / max(forecast.bytes, forecast.device_bytes or 0)
    parts, at = [], 0.0
    for name, (said, fill) in PARTS.items():
        size = forecast.parts[name]
        if size:
            parts.append(Part(said, fill, size, round(at, 1), round(size * scale, 1)))
            at += size * scale
    return Bar(parts, _label(forecast.parts))


def _label(parts: Mapping[str, int]) -> str:
    said = [f"{PARTS[name][0]} {number(size / 1e9, 2)}" for name, size in parts.items() if size]
    return f"{', '.join(said)} gigabytes"
