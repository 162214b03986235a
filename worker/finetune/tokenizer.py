"""The base model's tokenizer and where its answers end, from files beside the weights."""

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, GenerationConfig

from worker.finetune.errors import FinetuneError

# Nothing is ever fetched, and code that comes with a model is never run.
LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


def load_tokenizer(path: Path) -> Any:
    try:
        return AutoTokenizer.from_pretrained(path, **LOCAL)
    except (OSError, ValueError) as error:
        raise FinetuneError(
            "model_not_found",
            "The base model has no usable tokenizer",
            str(error).splitlines()[0],
            "Put tokenizer.json and tokenizer_config.json beside the model's weights.",
        ) from error


def stop_ids(path: Path, tokenizer: Any) -> tuple[int, ...]:
    """The tokenizer's end of sequence, and what the model's own generation settings stop at."""
    found = [tokenizer.eos_token_id]
    if (path / "generation_config.json").is_file():
        own = GenerationConfig.from_pretrained(path, local_files_only=True).eos_token_id
        found += own if isinstance(own, list) else [own]
    ids = tuple(dict.fromkeys(int(i) for i in found if i is not None))
    if not ids:
        raise FinetuneError(
            "model_not_found",
            "The tokenizer has no end-of-sequence token",
            "Without one a model can never learn where an answer ends.",
            "Add eos_token to the model's tokenizer_config.json.",
        )
    return ids
