"""The device a run computes on: which, in what type, and how much memory is free there."""

from contextlib import AbstractContextManager, nullcontext

import psutil
import torch

from app.config_sections import ComputeDtype


def pick_device() -> torch.device:
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def device_name(device: torch.device) -> str:
    """What people call it: the GPU's name, or CPU and its threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''})"


def compute_dtype(choice: ComputeDtype, device: torch.device) -> torch.dtype:
    """bfloat16 on a GPU that has it, float16 on one that has not, float32 on CPU, where less is slower."""
    if choice != "auto":
        dtype: torch.dtype = getattr(torch, choice)
        return dtype
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def compute_with(threads: int) -> None:
    """On CPU, from here on; bitsandbytes shares torch's pool."""
    torch.set_num_threads(threads)


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[None]:
    """Compute in a 16-bit type while norms, embeddings and the adapter keep 32; nothing where all is float32."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype)


def free_bytes(device: torch.device) -> int:
    """Memory that a new allocation may take: free on the device, plus what the allocator holds unused."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(psutil.virtual_memory().available)
