"""Steps of a training as it goes on: their seconds, then under torch's profiler their kernels, then memory."""

import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

Moment = tuple[int, float]  # a step, and when it was done

# Steps: until everything is compiled and allocated, timed, and profiled. Whoever looks at losses every eighth step
# says so every eighth step.
WARM, TIMED, PROFILED = 8, 24, 8


@dataclass
class Watch:
    """Told of each step that is done, or of every few."""

    began: Moment | None = None
    ended: Moment | None = None
    profiled: int = 0
    kernels: int = 0
    kernel_seconds: float = 0.0
    _profile: Any = field(default=None, repr=False)

    def at(self, step: int) -> None:
        _wait()
        if self.began is None:
            if step >= WARM:
                self.began = (step, time.perf_counter())
        elif self.ended is None:
            if step >= self.began[0] + TIMED:
                self.ended = (step, time.perf_counter())
                self._profile = profile(activities=[_activity()])
                self._profile.start()
        elif self._profile is not None and step >= self.ended[0] + PROFILED:
            self._profile.stop()
            self._count(step - self.ended[0])
            self._profile = None

    def _count(self, steps: int) -> None:
        on_device = [event for event in self._profile.events() if "cuda" in str(event.device_type).lower()]
        self.profiled, self.kernels = steps, len(on_device)
        self.kernel_seconds = sum(event.time_range.elapsed_us() for event in on_device) / 1e6

    @property
    def steps(self) -> range:
        """Those that were timed, 0-based."""
        assert self.began is not None
        assert self.ended is not None
        return range(self.began[0], self.ended[0])

    def found(self, tokens: int) -> dict[str, Any]:
        """`tokens` of rows were in the timed steps."""
        assert self.began is not None
        assert self.ended is not None
        step_seconds = (self.ended[1] - self.began[1]) / len(self.steps)
        busy = self.kernel_seconds / self.profiled / step_seconds if self.profiled and self.kernels else None
        launches = self.kernels / self.profiled if self.profiled and self.kernels else None
        return {
            "tokens/s": tokens / len(self.steps) / step_seconds,
            "step ms": 1000 * step_seconds,
            "launches": launches,
            "busy": busy,
            **memory(),
        }


def _activity() -> ProfilerActivity:
    return ProfilerActivity.CUDA if torch.cuda.is_available() else ProfilerActivity.CPU


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def memory() -> dict[str, float | None]:
    """Gigabytes: what tensors took at most, what the allocator holds, what the driver says of the whole device."""
    if not torch.cuda.is_available():
        return {"allocated": None, "reserved": None, "driver": None}
    return {
        "allocated": torch.cuda.max_memory_allocated() / 1e9,
        "reserved": torch.cuda.max_memory_reserved() / 1e9,
        "driver": _driver(),
    }


def _driver() -> float | None:
    import pynvml

    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}"
        return float(pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByUUID(uuid)).used) / 1e9
    return None
