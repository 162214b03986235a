"""Keys and values with room for those to come: what is new is written beside what is there, which is copied seldom."""

from collections.abc import Iterable
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

# Columns to spare whenever all is copied into larger buffers: a token takes one.
SPARE = 32


class Buffered(DynamicLayer):  # type: ignore[misc]
    """`keys` and `values`, (lines, heads, columns, width), are the first columns of buffers; transformers' own layer
    makes new tensors of all for every token. Who gives it other ones finds those copied by the next token."""

    _shown: torch.Tensor | None = None
    _held: list[torch.Tensor]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        begin = self.keys.shape[2]
        end = begin + key_states.shape[2]
        if self.keys is not self._shown or end > self._held[0].shape[2]:
            self._held = [_wider(there, end + SPARE) for there in (self.keys, self.values)]
        for held, states in zip(self._held, (key_states, value_states), strict=True):
            held[:, :, begin:end] = states
        self.keys, self.values = (held[:, :, :end] for held in self._held)
        self._shown = self.keys
        return self.keys, self.values


def buffered(layers: Iterable[Any]) -> list[Any]:
    """Empty layers of a cache; one that has a window lets go of columns, and stays as it is."""
    return [Buffered() if type(layer) is DynamicLayer else layer for layer in layers]


def _wider(there: torch.Tensor, columns: int) -> torch.Tensor:
    lines, heads, begin, width = there.shape
    held = there.new_empty(lines, heads, columns, width)
    held[:, :, :begin] = there
    return held
