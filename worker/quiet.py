"""Silence for what libraries say line by line and nobody can act on."""

import logging
import os
import warnings

# bitsandbytes: one line a layer and step in 8 bits, and a hint at a package that would fetch code from the hub.
_NOISE = ("MatMul8bitLt: inputs will be cast", "Failed to load CPU gemm_4bit_forward")


def hush() -> None:
    """Call before the libraries are imported."""
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    warnings.filterwarnings("ignore", message="MatMul8bitLt: inputs will be cast")
    for name in ("bitsandbytes.autograd._functions", "bitsandbytes.backends.cpu.ops"):
        logging.getLogger(name).addFilter(_is_worth_saying)


def _is_worth_saying(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_NOISE)
