"""Memory of a training: its peak and mean, measured where the model lives.

On CUDA the peak is the allocator's own and exact; on CPU it is the process's resident set, libraries included. A
thread samples several times a second for the mean, and on a GPU also what the driver counts for the whole device.
"""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import psutil
import pynvml
import torch

# Seconds between samples. One takes about as long as everything else that is kept of a small model's step.
INTERVAL = 0.25
_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@dataclass
class MemoryUse:
    """Bytes, `samples` counts them; `device_peak` is the driver's, other programs included."""

    kind: Literal["cuda", "rss"]
    peak: int = 0
    latest: int = 0
    total: int = 0
    samples: int = 0
    device_peak: int = 0
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def mean(self) -> int | None:
        return self.total // self.samples if self.samples else None

    def state(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("peak", "total", "samples", "device_peak")}

    def restore(self, state: dict[str, int]) -> None:
        """Go on from what an attempt before this one measured."""
        self.peak, self.device_peak = max(self.peak, state["peak"]), max(self.device_peak, state["device_peak"])
        self.total, self.samples = self.total + state["total"], self.samples + state["samples"]

    def add(self, used: int) -> None:
        self.latest = used
        self.peak = max(self.peak, used)
        self.total += used
        self.samples += 1


def used_bytes(device: torch.device) -> int:
    """`torch.cuda.memory_allocated` says the same, and sorts all statistics first."""
    if device.type == "cuda":
        return int(torch.cuda.memory_stats_as_nested_dict(device)["allocated_bytes"]["all"]["current"])
    return int(_this_process().memory_info().rss)


@cache
def _this_process() -> psutil.Process:
    return psutil.Process()


@contextmanager
def measured(device: torch.device) -> Iterator[MemoryUse]:
    """Measure while the block runs."""
    use = MemoryUse("cuda" if device.type == "cuda" else "rss")
    _reset_peak(device)
    with _driver(device) as handle:
        use.add(used_bytes(device))
        thread = threading.Thread(target=_sample, args=(use, device, handle), name="memory", daemon=True)
        thread.start()
        try:
            yield use
        finally:
            use._stop.set()
            thread.join()
            use.peak = max(use.peak, _exact_peak(device))


def _sample(use: MemoryUse, device: torch.device, handle: Any) -> None:
    while not use._stop.wait(INTERVAL):
        use.add(used_bytes(device))
        if handle is not None:
            use.device_peak = max(use.device_peak, int(pynvml.nvmlDeviceGetMemoryInfo(handle).used))


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(OSError):  # then the samples have to do
        _CLEAR.write_text("5")


def _exact_peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 0
    return int(line.split()[1]) * 1024


@contextmanager
def _driver(device: torch.device) -> Iterator[Any]:
    """NVML's handle of the device; None on CPU and where the driver gives none."""
    if device.type != "cuda":
        yield None
        return
    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
    try:
        yield _handle(device)
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _handle(device: torch.device) -> Any:
    # By UUID: the driver counts devices without regard to CUDA_VISIBLE_DEVICES.
    uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    try:
        return pynvml.nvmlDeviceGetHandleByUUID(uuid)
    except pynvml.NVMLError:
        return None
