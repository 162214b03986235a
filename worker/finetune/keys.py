"""The three keys of a result: what may be ranked with what, and which base measurement may be reused."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.metrics import DEFINITIONS_VERSION
from app.run_config import RunConfig
from worker.finetune.model import Base


@dataclass(frozen=True)
class Keys:
    """`fingerprint`: what was asked. `perplexity_key`: also in which tokens. `baseline_key`: also of which base."""

    fingerprint: str
    perplexity_key: str
    baseline_key: str


def make_keys(
    config: RunConfig,
    *,
    dataset: str,
    held_out: Sequence[int],
    tokenizer: str,
    template: str,
    weights: str,
    base: Base,
) -> Keys:
    """`dataset`, `tokenizer`, `template` and `weights` are hashes of what their names say."""
    data, evaluation = config.data, config.evaluation
    fingerprint = _digest(
        DEFINITIONS_VERSION,
        dataset,
        [data.eval_fraction, data.split_seed, list(held_out)],
        [data.max_length, evaluation.max_new_tokens],
    )
    perplexity_key = _digest(fingerprint, tokenizer, template)
    quantization = config.quantization.model_dump(mode="json")
    if quantization["method"] not in ("nf4", "fp4"):
        del quantization["double_quant"]  # changes nothing there
    quantization["compute_dtype"] = str(base.dtype)
    baseline_key = _digest(perplexity_key, weights, quantization, list(base.wrong_modules))
    return Keys(fingerprint, perplexity_key, baseline_key)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


# Read at once while hashing: so few pieces that a thread that hashes hardly ever waits for one that runs Python.
PIECE = 1 << 24


def file_hash(path: Path) -> str:
    found = hashlib.sha256()
    piece = bytearray(min(PIECE, path.stat().st_size + 1))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(piece):
            found.update(memoryview(piece)[:size])
    return found.hexdigest()


def weights_hash(folder: Path) -> str:
    """Of the model's configuration and of every weight file, by content: the same wherever the folder lies."""
    files = [folder / "config.json", *sorted(folder.glob("*.safetensors"))]
    return _digest([(path.name, file_hash(path)) for path in files])


def tokenizer_hash(tokenizer: Any) -> str:
    """Of vocabulary, merges and special tokens; the chat template counts with the template."""
    special = sorted((name, str(token)) for name, token in tokenizer.special_tokens_map.items())
    text = tokenizer.backend_tokenizer.to_str() if tokenizer.is_fast else json.dumps(tokenizer.get_vocab())
    return _digest(text, special)
