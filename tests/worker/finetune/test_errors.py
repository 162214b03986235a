"""Names for what libraries raise."""

import errno
import subprocess
import sys

import pytest
import torch

from worker.finetune.errors import explain

KNOWN = [
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
    (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"), "out_of_memory"),
    (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "out_of_memory"),
    (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
    (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 40 bytes."), "out_of_memory"),
    (MemoryError(), "out_of_memory"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "out_of_memory"),
    (ImportError("libtorch.so: failed to map segment: Cannot allocate memory"), "out_of_memory"),
    (torch.AcceleratorError("CUDA error: an illegal memory access was encountered", 700), "cuda_error"),
    (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"), "cuda_error"),
    (OSError(errno.EIO, "Input/output error"), "io_error"),
    (OSError(errno.ESTALE, "Stale file handle"), "io_error"),
    (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
    (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk_full"),
    (ModuleNotFoundError("No module named 'peft'"), "missing_library"),
    (ImportError("undefined symbol: _ZN3c10"), "missing_library"),
]
UNKNOWN = [
    RuntimeError("shapes do not match"),
    FileNotFoundError(2, "No such file"),
    ValueError("out of memory"),
]


@pytest.mark.parametrize(("error", "code"), KNOWN, ids=lambda part: str(part)[:40])
def test_what_a_person_can_act_on_is_named(error: BaseException, code: str) -> None:
    found = explain(error)
    assert found is not None
    assert (found.code, "\n" in found.detail) == (code, False)
    assert found.detail
    assert found.hint


@pytest.mark.parametrize("error", UNKNOWN, ids=repr)
def test_the_rest_is_not(error: BaseException) -> None:
    assert explain(error) is None


def test_names_need_no_library() -> None:
    """What is missing may be torch."""
    script = (
        "import sys, worker.finetune.errors; sys.exit(any(name in sys.modules for name in ('torch', 'safetensors')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
