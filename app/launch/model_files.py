"""What the files of a base model say of it: architecture, context, size, and why it cannot be trained. JSON only."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.launch import model_shape

CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
MAX_CONFIG_BYTES = 10_000_000


@dataclass(frozen=True)
class ModelFiles:
    """Unknown figures are None; `problem` is the end of a sentence that begins with the model's name."""

    context: int | None = None
    parameters: int | None = None
    architecture: str | None = None
    problem: str | None = None


def read(folder: Path) -> ModelFiles:
    config = folder / "config.json"
    return _read(folder, config.stat().st_mtime_ns if config.is_file() else 0)


@lru_cache(maxsize=512)
def _read(folder: Path, _version: int) -> ModelFiles:
    try:
        config = _read_config(folder)
    except ValueError as error:
        return ModelFiles(problem=str(error))
    shape = model_shape.read(folder)
    return ModelFiles(
        context=next((config[name] for name in CONTEXT_NAMES if isinstance(config.get(name), int)), None),
        parameters=shape.parameters if shape else None,
        architecture=next(iter(_architectures(config)), None),
        problem=_problem(folder, config),
    )


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        if (folder / "adapter_config.json").is_file():
            raise ValueError("is an adapter, not a base model: name the model that it was trained on")
        raise ValueError("has no config.json: it is not a model of the transformers library")
    try:
        with path.open("rb") as file:
            config = json.loads(file.read(MAX_CONFIG_BYTES))
    except (OSError, ValueError):
        raise ValueError("has a config.json that cannot be read") from None
    if not isinstance(config, dict):
        raise ValueError("has a config.json that is not an object")  # noqa: TRY004 - a sentence about the file
    return config


def _architectures(config: dict[str, Any]) -> list[str]:
    names = config.get("architectures")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _problem(folder: Path, config: dict[str, Any]) -> str | None:
    names = _architectures(config)
    if not any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names):
        return f"is not a causal language model: its config.json says {', '.join(names) or 'no architecture'}"
    if "quantization_config" in config:
        return "is quantised already: use the original, it is quantised when a run loads it"
    if not any(folder.glob("*.safetensors")):
        if any(any(folder.glob(pattern)) for pattern in PICKLES):
            return "has its weights only as pickle files, which can run code: convert them to safetensors"
        return "has no weights: there is no .safetensors file"
    if not any((folder / name).is_file() for name in TOKENIZERS):
        return "has no tokenizer: tokenizer.json is missing"
    return None
