"""How a run ends without a result: an error that a person can act on, or a request to stop.

Standard library alone: that a library cannot be loaded has to be told too.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace


@dataclass
class FinetuneError(Exception):
    """What happened (title), what it means (detail) and what to do (hint); `code` is for programs."""

    code: str
    title: str
    detail: str
    hint: str

    def __str__(self) -> str:
        return f"{self.title}: {self.detail} {self.hint}".strip()


class Diverged(FinetuneError):
    """The loss or the weights are no finite numbers any more."""


class Stopped(Exception):
    """Somebody asked to stop; what can be kept has been."""


OUT_OF_MEMORY = FinetuneError(
    "out_of_memory",
    "Out of memory",
    "",
    "Lower training.per_device_train_batch_size (and raise gradient_accumulation_steps as much), lower "
    "data.max_length, switch gradient_checkpointing on, or choose 4-bit quantisation or a smaller base model.",
)
DISK_FULL = FinetuneError(
    "disk_full",
    "Disk full",
    "",
    "Delete finished runs or data sets, or move the data folder to a larger disk, then retry the run.",
)
IO_ERROR = FinetuneError(
    "io_error",
    "A file could not be read or written",
    "",
    "Check the disk or the network folder that holds the data and the base model (dmesg, smartctl), then retry.",
)
CUDA_ERROR = FinetuneError(
    "cuda_error",
    "The GPU reported an error",
    "",
    "Retry. If it happens again, look at dmesg for Xid lines and at nvidia-smi: driver, temperature, ECC errors.",
)
MISSING_LIBRARY = FinetuneError(
    "missing_library",
    "A library of the worker is missing or broken",
    "",
    "Install Tuneboard's worker again with the versions of constraints.txt, restart the worker, then retry.",
)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FAULTY = frozenset({errno.EIO, errno.ENXIO, errno.ENODEV, errno.EROFS, errno.ESTALE, errno.ETIMEDOUT, errno.EREMOTEIO})
# What CUDA, its libraries and the CPU's allocator say, whose errors have no class of their own.
_NO_MEMORY = re.compile(
    r"out of memory|not enough memory|can(?:'t|not) allocate memory|CUBLAS_STATUS_ALLOC_FAILED|bad_alloc", re.IGNORECASE
)
_CUDA = re.compile(r"\bCUDA error|CUBLAS_STATUS|cuDNN error|CUSPARSE_STATUS|cuda runtime error", re.IGNORECASE)


def explain(error: BaseException) -> FinetuneError | None:
    """What a person can act on, of an error that a library raised; None for what nobody foresaw."""
    kind = _kind(error)
    return None if kind is None else replace(kind, detail=_first_line(error))


def _kind(error: BaseException) -> FinetuneError | None:
    if is_out_of_memory(error):
        return OUT_OF_MEMORY
    if isinstance(error, OSError) and error.errno in _FULL:
        return DISK_FULL
    if isinstance(error, OSError) and error.errno in _FAULTY:
        return IO_ERROR
    if isinstance(error, ImportError):
        return MISSING_LIBRARY
    if isinstance(error, RuntimeError) and _CUDA.search(str(error)):
        return CUDA_ERROR
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """torch has a class for CUDA's; the CPU's allocator, a failed mmap and CUDA's libraries only have a sentence."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return isinstance(error, (RuntimeError, ImportError)) and _NO_MEMORY.search(str(error)) is not None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or f"{type(error).__name__}, without a word."


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn what a machine runs out of, or does wrong, into an error that says so, and while doing what."""
    try:
        yield
    except (RuntimeError, MemoryError, OSError, ImportError) as error:
        known = explain(error)
        if known is None:
            raise
        raise replace(known, detail=f"While {doing}: {known.detail}") from error
