"""What this worker computes on, without loading torch: a GPU through NVML, else the CPU."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pynvml

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Device:
    """`number` is the GPU's, None for a CPU. `memory_used` measures the whole device, other programs included."""

    name: str
    number: int | None
    memory_total_bytes: int
    memory_used: Callable[[], int]

    @property
    def short(self) -> str:
        return "cpu" if self.number is None else f"gpu{self.number}"


def find() -> Device:
    """The first GPU that CUDA_VISIBLE_DEVICES allows (any, where it is not set), or the CPU."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    try:
        pynvml.nvmlInit()
        return _gpu(first)
    except pynvml.NVMLError:
        return _cpu()


def _gpu(which: str) -> Device:
    """A GPU by its number or uuid; raises NVMLError where there is none such."""
    by_number = which.isdigit()
    handle = pynvml.nvmlDeviceGetHandleByIndex(int(which)) if by_number else pynvml.nvmlDeviceGetHandleByUUID(which)
    name = pynvml.nvmlDeviceGetName(handle)
    return Device(
        name=name if isinstance(name, str) else name.decode(),
        number=int(pynvml.nvmlDeviceGetIndex(handle)),
        memory_total_bytes=int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
        memory_used=lambda: _gpu_memory_used(handle),
    )


def _gpu_memory_used(handle: Any) -> int:
    return int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)


def _cpu() -> Device:
    total = psutil.virtual_memory().total
    return Device(_cpu_name(), None, total, lambda: total - psutil.virtual_memory().available)


def _cpu_name() -> str:
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines() if CPU_INFO.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"CPU, {next(models, platform.machine())}, {os.cpu_count()} cores"
