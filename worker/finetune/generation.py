"""Greedy answers, in batches as large as memory allows."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from worker.finetune import greedy
from worker.finetune.buffers import SPARE
from worker.finetune.device import autocast, free_bytes
from worker.finetune.errors import Stopped, is_out_of_memory
from worker.finetune.greedy import Row
from worker.finetune.lines import left_padded
from worker.finetune.model import context_length
from worker.finetune.reporter import Reporter, check_stop
from worker.finetune.writers import Writer

# On CPU more are no faster.
LARGEST_BATCH = {"cpu": 256, "cuda": 512}


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
    writer: Writer,
    questions: Sequence["array[int]"],
    decoding: Decoding,
    tokenizer: Any,
    reporter: Reporter,
    *,
    expected: Sequence[int] | None = None,
) -> list[Answer]:
    """The answer to each prompt, in the order given.

    The longest go first, so that memory fails early. `expected` has a guess of each answer's tokens, for the order.
    """
    model = writer.model.eval()
    guessed = expected or [0] * len(questions)
    order = sorted(range(len(questions)), key=lambda i: -len(questions[i]) - min(guessed[i], decoding.max_new_tokens))
    size = _batch_size(model, max(map(len, questions)) + decoding.max_new_tokens + SPARE)
    said: dict[int, list[int]] = {}
    while left := [number for number in order if number not in said]:
        check_stop(reporter)
        rows = [
            Row(number, questions[number], room(model, len(questions[number]), decoding.max_new_tokens))
            for number in left[:size]
        ]
        try:
            with autocast(model.device, decoding.dtype):
                for row in _answers(writer, rows, decoding, reporter):
                    said[row.number] = row.said
        except (RuntimeError, MemoryError) as error:
            if size == 1 or not is_out_of_memory(error):
                raise
            size = max(1, min(size, len(rows)) // 2)
    texts = tokenizer.batch_decode([said[number] for number in range(len(questions))], skip_special_tokens=True)
    return [Answer(text.strip(), said[number][-1] in decoding.stop_ids) for number, text in enumerate(texts)]


def _answers(writer: Writer, rows: Sequence[Row], decoding: Decoding, reporter: Reporter) -> Iterator[Row]:
    if writer.leaving:
        return greedy.answer(writer.model, rows, decoding.stop_ids, reporter)
    return _by_transformers(writer.model, rows, decoding, reporter)


def _by_transformers(model: Any, rows: Sequence[Row], decoding: Decoding, reporter: Reporter) -> Iterator[Row]:
    """Of the rows those that may say as much as the first, all by one call."""
    batch = [row for row in rows if row.left == rows[0].left]
    ids, mask = left_padded([row.prompt for row in batch], decoding.pad_id)
    out = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        generation_config=GenerationConfig(
            max_new_tokens=rows[0].left,
            do_sample=False,
            use_cache=True,
            eos_token_id=list(decoding.stop_ids),
            pad_token_id=decoding.pad_id,
        ),
        stopping_criteria=StoppingCriteriaList([_StopRequested(reporter)]),
    )
    if reporter.stop_requested():
        raise Stopped
    for row, tokens in zip(batch, out[:, ids.shape[1] :].tolist(), strict=True):
        row.hear(tokens, frozenset(decoding.stop_ids))
        yield row


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
    free = free_bytes(model.device)
    return int(min(LARGEST_BATCH[model.device.type], max(1, free / 2 / (cache + logits))))
