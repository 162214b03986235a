"""The plain way as a side of the benchmark: it trains, then evaluates what it trained."""

import tempfile
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit

from benchmarks import _plain_evaluation, _plain_training
from benchmarks._asking import Json, answer, timed

kept: dict[str, Any] = {}


def train(*, model: str, rows: str, lora: Json, training: Json, whole: list[str], checkpointing: bool) -> Json:
    """Seconds of Trainer.train alone: loading and the adapter's making are not in them."""
    data = _plain_training.read(rows)
    base, tokenizer = _plain_training.load(model, whole=whole)
    keep_unpacked(base)
    adapted = _plain_training.adapted(base, lora, checkpointing=checkpointing)
    found: Json = {}
    with tempfile.TemporaryDirectory() as folder, timed(found):
        tokens = _plain_training.train(adapted, tokenizer, data["train"], folder, training)
    kept.update(model=adapted, tokenizer=tokenizer, data=data)
    return {**found, "tokens": tokens, "threads": torch.get_num_threads()}


def perplexity() -> Json:
    """Of what was trained last."""
    kept["model"].eval()
    return {"perplexity": _plain_evaluation.perplexity(kept["model"], kept["tokenizer"], kept["data"]["held_out"])}


def evaluate(*, max_new_tokens: int) -> Json:
    """What was trained last, measured as a whole."""
    found: Json = {}
    with timed(found):
        metrics = _plain_evaluation.evaluate(kept["model"], kept["tokenizer"], kept["data"], max_new_tokens)
    return found | metrics


def keep_unpacked(model: Any) -> None:
    """On a CPU bitsandbytes packs layers anew for evaluation, which raises an error for widths as these."""
    for module in model.modules():
        if isinstance(module, Linear4bit) and (module.out_features % 32 or module.in_features % 64):
            module.support_avx512bf16_for_cpu = False


if __name__ == "__main__":
    answer({"train": train, "perplexity": perplexity, "evaluate": evaluate})
