"""Rows that a model is answering at once, a line of its keys and values each: they join, and leave again."""

import inspect
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import DynamicCache

from worker.finetune.buffers import Buffered, buffered


@dataclass
class Lines:
    """`mask` is of shape (lines, columns so far); `at`, (lines,), the position of each line's `newest` token, which
    the model has not read yet."""

    cache: DynamicCache
    mask: torch.Tensor
    at: torch.Tensor
    newest: torch.Tensor

    def joined(self, others: "Lines") -> "Lines":
        """These, with others below that have no more columns: all end at the same one."""
        for mine, theirs in zip(self.cache.layers, others.cache.layers, strict=True):
            missing = (0, 0, mine.keys.shape[2] - theirs.keys.shape[2], 0)
            mine.keys = torch.cat([mine.keys, pad(theirs.keys, missing)])
            mine.values = torch.cat([mine.values, pad(theirs.values, missing)])
        self.mask = torch.cat([self.mask, pad(others.mask, (self.mask.shape[1] - others.mask.shape[1], 0))])
        self.at, self.newest = torch.cat([self.at, others.at]), torch.cat([self.newest, others.newest])
        return self

    def rest(self, lines: Sequence[int]) -> None:
        """Of these nothing is read any more: their positions count anew, and so stay within what the model knows."""
        if lines:
            self.at[lines] = 0

    def keep(self, lines: Sequence[int]) -> None:
        """Only these, and no column that is padding in all of them."""
        chosen = torch.tensor(lines, device=self.mask.device)
        self.mask, self.at, self.newest = self.mask[chosen], self.at[chosen], self.newest[chosen]
        # A layer with a window counts its columns from what it let go: there the padding stays.
        whole = all(isinstance(layer, Buffered) for layer in self.cache.layers)
        first = int(self.mask.argmax(dim=1).min()) if whole else 0
        self.mask = self.mask[:, first:]
        for layer in self.cache.layers:
            layer.keys, layer.values = layer.keys[chosen, :, first:], layer.values[chosen, :, first:]

    def step(self, model: Any) -> torch.Tensor:
        """The model reads what is newest, and says what comes next; returns its logits, (lines, vocabulary)."""
        self.mask = pad(self.mask, (0, 1), value=1)
        found = logits(model, self.newest[:, None], mask=self.mask, at=self.at[:, None], cache=self.cache)
        self.at, self.newest = self.at + 1, found.argmax(-1)
        return found


def read(model: Any, prompts: Sequence["array[int]"]) -> Lines:
    """A line for each prompt, and the first token of its answer."""
    ids, mask = left_padded(prompts)
    ids, mask = ids.to(model.device), mask.to(model.device)
    cache = DynamicCache(config=model.config)
    cache.layers = buffered(cache.layers)
    found = logits(model, ids, mask=mask, at=(mask.cumsum(1) - 1).clamp_min(0), cache=cache)
    return Lines(cache, mask, mask.sum(1), found.argmax(-1))


def left_padded(prompts: Sequence["array[int]"], pad_id: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, (rows, longest): on the right, padding would stand between a prompt and its answer."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for line, prompt in enumerate(prompts):
        ids[line, width - len(prompt) :] = torch.tensor(prompt, dtype=torch.long)
        mask[line, width - len(prompt) :] = 1
    return ids, mask


def logits(
    model: Any, ids: torch.Tensor, *, mask: torch.Tensor, at: torch.Tensor, cache: DynamicCache | None
) -> torch.Tensor:
    """Of each line's last token, in float32, (lines, vocabulary)."""
    optional = {"position_ids": at, "logits_to_keep": 1}
    inputs = {name: value for name, value in optional.items() if name in _taken(_innermost(model))}
    out = model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=cache is not None, **inputs)
    found: torch.Tensor = out.logits[:, -1].float()
    return found


def _innermost(model: Any) -> type:
    return type(getattr(model, "get_base_model", lambda: model)())


@cache
def _taken(architecture: Any) -> frozenset[str]:
    return frozenset(inspect.signature(architecture.forward).parameters)
