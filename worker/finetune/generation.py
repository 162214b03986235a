"""Greedy answers, in batches as large as memory allows."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from worker.finetune.device import autocast, free_bytes
from worker.finetune.errors import Stopped, is_out_of_memory
from worker.finetune.model import context_length
from worker.finetune.reporter import Reporter, check_stop

LARGEST_BATCH = 64


@dataclass(frozen=True)
class Decoding:
    """How answers are generated: greedily, up to `max_new_tokens`, padded on the left with `pad_id`."""

    max_new_tokens: int
    stop_ids: tuple[int, ...]
    pad_id: int
    dtype: torch.dtype


class Answer(NamedTuple):
    """A text, and whether the model came to its end: else it was cut off at the most tokens that it may have."""

    text: str
    ended: bool


class _StopRequested(StoppingCriteria):  # type: ignore[misc]
    """Ends a batch between two tokens when somebody asked to stop."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        self.reporter.alive()
        stop = self.reporter.stop_requested()
        return torch.full((input_ids.shape[0],), stop, device=input_ids.device, dtype=torch.bool)


@torch.no_grad()
def generate(
    model: Any, questions: Sequence["array[int]"], decoding: Decoding, tokenizer: Any, reporter: Reporter
) -> list[Answer]:
    """The answer to each prompt, in the order given; the longest prompts first, so that memory fails early."""
    model.eval()
    order = sorted(range(len(questions)), key=lambda i: -len(questions[i]))
    answers = [Answer("", ended=False)] * len(questions)
    size = _batch_size(model, max(map(len, questions)) + decoding.max_new_tokens)
    while order:
        check_stop(reporter)
        batch = [questions[i] for i in order[:size]]
        try:
            found = _answers(model, batch, decoding, tokenizer, reporter)
        except (RuntimeError, MemoryError) as error:
            if size == 1 or not is_out_of_memory(error):
                raise
            size = max(1, size // 2)
            continue
        for i, answer in zip(order[:size], found, strict=True):
            answers[i] = answer
        order = order[size:]
    return answers


def _answers(
    model: Any, batch: Sequence["array[int]"], decoding: Decoding, tokenizer: Any, reporter: Reporter
) -> list[Answer]:
    width = max(map(len, batch))
    ids = torch.full((len(batch), width), decoding.pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for line, question in enumerate(batch):
        ids[line, width - len(question) :] = torch.tensor(question, dtype=torch.long)
        mask[line, width - len(question) :] = 1
    config = GenerationConfig(
        max_new_tokens=room(model, width, decoding.max_new_tokens),
        do_sample=False,
        use_cache=True,
        eos_token_id=list(decoding.stop_ids),
        pad_token_id=decoding.pad_id,
    )
    with autocast(model.device, decoding.dtype):
        out = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            generation_config=config,
            stopping_criteria=StoppingCriteriaList([_StopRequested(reporter)]),
        )
    if reporter.stop_requested():
        raise Stopped
    written = out[:, width:].cpu()
    ended = torch.isin(written, torch.tensor(decoding.stop_ids, dtype=written.dtype)).any(dim=1).tolist()
    texts = tokenizer.batch_decode(written, skip_special_tokens=True)
    return [Answer(text.strip(), is_whole) for text, is_whole in zip(texts, ended, strict=True)]


def room(model: Any, width: int, wanted: int) -> int:
    """New tokens after a prompt of so many: as wanted, within the model's context, and never none."""
    context = context_length(model.config)
    return max(1, wanted if context is None else min(wanted, context - width))


def _batch_size(model: Any, length: int) -> int:
    """Rows whose keys and values, with room for their logits, take half of what is free."""
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    cache = 2 * config.num_hidden_layers * heads * head_size * 4 * length
    logits = 12 * config.vocab_size
    return int(min(LARGEST_BATCH, max(1, free_bytes(model.device) / 2 / (cache + logits))))
