"""One model writes one answer, and says at each token how far it is."""

import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import GenerationConfig
from transformers.generation.streamers import BaseStreamer

from app.generation import Generation
from worker.finetune.device import autocast
from worker.finetune.generation import Decoding, room

Ending = Literal["end", "length"]


@dataclass(frozen=True)
class Said:
    """An answer so far. `ending` is None while it is written; then `end`, its own, or `length`, cut off."""

    text: str
    tokens: int
    seconds: float
    ending: Ending | None = None


Told = Callable[[Said], None]


@torch.no_grad()
def write(
    model: Any, question: "array[int]", generation: Generation, decoding: Decoding, tokenizer: Any, told: Told
) -> Said:
    """The answer to one prompt, given as ids; `told` hears of it at each token, and of the whole."""
    ids = torch.tensor([list(question)], device=model.device)
    listener = _Listener(tokenizer, told)
    torch.manual_seed(generation.seed)  # the same draws for every model
    with autocast(model.device, decoding.dtype):
        model.eval().generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            generation_config=_config(generation, decoding, room(model, len(question), decoding.max_new_tokens)),
            streamer=listener,
        )
    return listener.whole(decoding.stop_ids)


def _config(generation: Generation, decoding: Decoding, most: int) -> GenerationConfig:
    """`top_k` is switched off: transformers would draw among fifty tokens unless told otherwise."""
    drawn = {"temperature": generation.temperature, "top_p": generation.top_p, "top_k": 0}
    return GenerationConfig(
        max_new_tokens=most,
        do_sample=not generation.is_greedy,
        use_cache=True,
        eos_token_id=list(decoding.stop_ids),
        pad_token_id=decoding.pad_id,
        **({} if generation.is_greedy else drawn),
    )


class _Listener(BaseStreamer):  # type: ignore[misc]
    """Hears the prompt first, then each token."""

    def __init__(self, tokenizer: Any, told: Told) -> None:
        self._tokenizer, self._told = tokenizer, told
        self._began = time.monotonic()
        self._ids: list[int] | None = None

    def put(self, value: torch.Tensor) -> None:
        if self._ids is None:
            self._ids = []
            return
        self._ids += value.tolist()
        self._told(self._said(None))

    def end(self) -> None:
        pass

    def whole(self, stop_ids: Sequence[int]) -> Said:
        ids = self._ids or []
        said = self._said("end" if ids and ids[-1] in stop_ids else "length")
        self._told(said)
        return said

    def _said(self, ending: Ending | None) -> Said:
        text = self._tokenizer.decode(self._ids, skip_special_tokens=True).strip()
        # The bytes of one character may lie in several tokens: until the last of them it is no character.
        text = text if ending else text.removesuffix("\ufffd")
        return Said(text, len(self._ids or []), time.monotonic() - self._began, ending)
