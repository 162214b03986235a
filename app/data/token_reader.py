"""Who reads rows as tokens: a base model on this machine with a prompt template."""

import hashlib
import json
from dataclasses import dataclass

from app.errors import Invalid
from app.launch import base_models
from app.settings import Settings

# What a tokenizer is made of, beside the weights.
TOKENIZER_FILES = ("*.json", "*.model", "*.txt", "*.jinja", "*.tiktoken")


@dataclass(frozen=True)
class TokenReader:
    """`version` changes with whatever changes its tokens."""

    model: str
    revision: str | None
    prompt_template: str
    version: str


def find(settings: Settings, model: str, revision: str | None, prompt_template: str) -> TokenReader:
    """Raises Invalid, by `model`, for one that is not on this machine."""
    try:
        folder = base_models.resolve(settings, model, revision).folder
    except Invalid as error:
        raise Invalid.one("model", error.errors[0].message) from None
    if folder is None:
        raise Invalid.one("model", f"'{model}' is not on this machine yet: the first run with it downloads it")
    found = sorted(file for pattern in TOKENIZER_FILES for file in folder.glob(pattern))
    files = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in found]
    version = hashlib.sha256(json.dumps([prompt_template, files]).encode()).hexdigest()[:32]
    return TokenReader(model, revision, prompt_template, version)
