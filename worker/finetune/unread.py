"""Steps whose numbers nobody has looked at yet.

A look at a number on a GPU waits for all work before it, and the GPU then waits for the next: so steps are looked at
several at a time, and each still becomes a point. The clock can tell only how long all of them took.
"""

import time
from dataclasses import dataclass, field

import torch

from worker.finetune.learner import Step

# Steps between two looks where the settings leave it open: a CPU has its numbers at once.
ON_CPU, ON_GPU = 1, 8


def look_every(chosen: int | None, device: torch.device) -> int:
    return chosen or (ON_CPU if device.type == "cpu" else ON_GPU)


@dataclass(frozen=True)
class Taken:
    """A step as it was taken: `number` counts from 1, `memory` is in bytes."""

    number: int
    step: Step
    tokens: int
    rows: int
    memory: int


@dataclass(frozen=True)
class Read:
    """A step that was looked at; `seconds` is its share, by tokens, of the time of all that were looked at with it."""

    taken: Taken
    loss: float
    grad_norm: float
    seconds: float


@dataclass
class Unread:
    taken: list[Taken] = field(default_factory=list)
    began: float = 0.0

    def begin(self) -> None:
        """A step begins: the clock runs from the first one."""
        if not self.taken:
            self.began = time.monotonic()

    def read(self) -> list[Read]:
        """All of them in order, fetched at once; none are left."""
        taken, self.taken = self.taken, []
        if not taken:
            return []
        values = torch.stack([number.double() for t in taken for number in (t.step.loss, t.step.grad_norm)]).tolist()
        per_token = (time.monotonic() - self.began) / sum(t.tokens for t in taken)
        numbers = zip(taken, values[::2], values[1::2], strict=True)
        return [Read(t, loss, grad_norm, per_token * t.tokens) for t, loss, grad_norm in numbers]
