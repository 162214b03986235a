"""A saved adapter: read from its archive, and put on a base for a while."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from safetensors.torch import load as from_safetensors

from worker.finetune.adapter import Tensors, restore_adapter, wrap
from worker.finetune.errors import FinetuneError

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True)
class Adapter:
    config: LoraConfig
    tensors: Tensors


def read(path: Path) -> Adapter:
    """What `artifacts.write_adapter` wrote; nothing in it can run code."""
    try:
        with zipfile.ZipFile(path) as archive:
            values = json.loads(archive.read(CONFIG))
            tensors = from_safetensors(archive.read(TENSORS))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise FinetuneError(
            "adapter_unreadable",
            "The adapter cannot be read",
            f"{path.name}: {error}",
            "Restore the run's folder from a backup, or train the run again.",
        ) from error
    return Adapter(LoraConfig(**{name: value for name, value in values.items() if name != "peft_type"}), tensors)


def put_on(base: Any, adapter: Adapter) -> Any:
    """The base, changed in place, with the adapter on."""
    worn = wrap(base, adapter.config)
    restore_adapter(worn, adapter.tensors)
    return worn.eval()


@contextmanager
def wearing(base: Any, adapter: Adapter) -> Iterator[Any]:
    """The base with this adapter on; afterwards it is as it was, biases that the adapter brought included."""
    biases = {name: p.detach().clone() for name, p in base.named_parameters() if name.endswith("bias")}
    worn = put_on(base, adapter)
    try:
        yield worn
    finally:
        worn.unload()
        with torch.no_grad():
            for name, parameter in base.named_parameters():
                if name in biases:
                    parameter.copy_(biases[name])
