"""How a run ends without a result: an error that a person can act on, or a request to stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import ENOSPC

import torch


@dataclass
class FinetuneError(Exception):
    """What happened (title), what it means (detail) and what to do (hint); `code` is for programs."""

    code: str
    title: str
    detail: str
    hint: str

    def __str__(self) -> str:
        return f"{self.title}: {self.detail} {self.hint}".strip()


class Stopped(Exception):
    """Somebody asked to stop; what can be kept has been."""


OUT_OF_MEMORY_HINT = (
    "Lower training.per_device_train_batch_size (and raise gradient_accumulation_steps as much), lower "
    "data.max_length, switch gradient_checkpointing on, or choose 4-bit quantisation or a smaller base model."
)


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn what a machine runs out of - memory, disk - into an error that says so."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        detail = f"While {doing}: {str(error).splitlines()[0] if str(error) else 'the allocation failed'}"
        raise FinetuneError("out_of_memory", "Out of memory", detail, OUT_OF_MEMORY_HINT) from error
    except OSError as error:
        if error.errno != ENOSPC:
            raise
        detail = f"While {doing}, the disk of the data folder was full."
        hint = "Delete finished runs or data sets, or move the data folder to a larger disk, then retry the run."
        raise FinetuneError("disk_full", "Disk full", detail, hint) from error


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA has a class of its own for it; the CPU allocator only has a sentence."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)
