import psutil
import pynvml
import pytest

from worker import device


def test_without_a_gpu_the_cpu_is_told_with_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = device.find()
    assert found.name.startswith("CPU, ")
    assert (found.number, found.short) == (None, "cpu")
    assert found.memory_total_bytes == psutil.virtual_memory().total
    assert 0 < found.memory_used() < found.memory_total_bytes


class FakeNvml:
    """Three GPUs as NVML tells of them; the real one needs a driver."""

    NVMLError = pynvml.NVMLError

    def __init__(self) -> None:
        self.uuids = ["GPU-a", "GPU-b", "GPU-c"]

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> int:  # noqa: N802
        return self.uuids.index(uuid)

    def nvmlDeviceGetIndex(self, handle: int) -> int:  # noqa: N802
        return handle

    def nvmlDeviceGetName(self, handle: int) -> bytes:  # noqa: N802
        return b"NVIDIA Made Up"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> object:  # noqa: N802
        return type("Memory", (), {"total": 80_000, "used": 1000 * handle})


@pytest.mark.parametrize(("visible", "number"), [(None, 0), ("2", 2), ("1,2", 1), ("GPU-b", 1)])
def test_the_first_visible_gpu_is_the_worker_s(
    visible: str | None, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "pynvml", FakeNvml())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = device.find()
    assert (found.name, found.number, found.short) == ("NVIDIA Made Up", number, f"gpu{number}")
    assert (found.memory_total_bytes, found.memory_used()) == (80_000, 1000 * number)
