"""The GPUs of this machine that its workers may use."""

import os

import pynvml


def visible() -> list[str]:
    """Each as CUDA_VISIBLE_DEVICES names one, and no other than it allows; none where no driver answers."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        names = [name.strip() for name in allowed.split(",")]
        return [name for name in names if name not in ("", "-1")]
    return [_uuid(number) for number in range(pynvml.nvmlDeviceGetCount())]


def _uuid(number: int) -> str:
    """A number would not do: CUDA counts the fastest first, the driver by bus."""
    uuid = pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(number))
    return uuid if isinstance(uuid, str) else uuid.decode()
