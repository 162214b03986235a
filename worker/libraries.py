"""What the libraries of a training are told before they are imported: to say less, and to keep less."""

import logging
import os
import warnings

# bitsandbytes: one line a layer and step in 8 bits, and a hint at a package that would fetch code from the hub.
_NOISE = ("MatMul8bitLt: inputs will be cast", "Failed to load CPU gemm_4bit_forward")

# oneDNN prepares itself for every shape of a product, half a megabyte each, and every batch has another: it and torch
# would keep a thousand of them. As many as one pass asks for are enough.
KEPT_SHAPES = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32", "LRU_CACHE_CAPACITY": "32"}


def prepare() -> None:
    """Before the first of them is imported. What libraries say line by line and nobody can act on is left out."""
    for name, value in KEPT_SHAPES.items():
        os.environ.setdefault(name, value)
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    warnings.filterwarnings("ignore", message="MatMul8bitLt: inputs will be cast")
    for name in ("bitsandbytes.autograd._functions", "bitsandbytes.backends.cpu.ops"):
        logging.getLogger(name).addFilter(_is_worth_saying)


def _is_worth_saying(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_NOISE)
