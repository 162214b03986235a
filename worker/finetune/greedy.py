"""Greedy answers of many rows at once, each of which leaves when it has ended.

Token for token what transformers' `generate` writes, which carries every row along to the end of the longest.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from worker.finetune.lines import Lines, read
from worker.finetune.reporter import Reporter, check_stop

# Of the lines, how many may still be at work when those that are not are given up: each time copies the rest.
AT_WORK = 7 / 8

# Prompt tokens in one pass: more are no faster, take memory, and a request to stop would wait for them.
TOKENS = {"cpu": 4_096, "cuda": 16_384}

# Tokens between two looks at what was written: on a GPU a look waits for all that was begun.
LOOK = {"cpu": 1, "cuda": 4}


@dataclass
class Row:
    """A prompt by its number, how many tokens its answer may still have, and what it is so far."""

    number: int
    prompt: "array[int]"
    left: int
    said: list[int] = field(default_factory=list)
    ended: bool = False

    def hear(self, tokens: Sequence[int], stop_ids: frozenset[int]) -> None:
        """What follows its end is not its own."""
        for token in tokens:
            if self.ended:
                return
            self.said.append(token)
            self.left -= 1
            self.ended = token in stop_ids or not self.left


def answer(model: Any, rows: Sequence[Row], stop_ids: Sequence[int], reporter: Reporter) -> Iterator[Row]:
    """Each row when it leaves: what it says ends with its stop token, or with the most that it may say."""
    stops = frozenset(stop_ids)
    at_work = sorted(rows, key=lambda row: -len(row.prompt))
    lines = _read(model, at_work, reporter)
    said = lines.newest[:, None]
    while True:
        for row, tokens in zip(at_work, said.tolist(), strict=True):
            row.hear(tokens, stops)
        going = [line for line, row in enumerate(at_work) if not row.ended]
        if len(going) <= AT_WORK * len(at_work):
            yield from (row for row in at_work if row.ended)
            if not going:
                return
            lines.keep(going)
            at_work = [at_work[line] for line in going]
        lines.rest([line for line, row in enumerate(at_work) if row.ended])
        said = _next(model, lines, min(row.left for row in at_work if not row.ended), reporter)


def _read(model: Any, rows: Sequence[Row], reporter: Reporter) -> Lines:
    """All prompts, the longest first, in passes of so many tokens."""
    lines, left = None, [row.prompt for row in rows]
    while left:
        check_stop(reporter)
        take = max(1, TOKENS[model.device.type] // len(left[0]))
        more = read(model, left[:take])
        lines = more if lines is None else lines.joined(more)
        left = left[take:]
    assert lines is not None
    return lines


def _next(model: Any, lines: Lines, most: int, reporter: Reporter) -> torch.Tensor:
    """A few tokens of each line, (lines, tokens)."""
    steps = []
    for _ in range(min(LOOK[model.device.type], most)):
        check_stop(reporter)
        lines.step(model)
        steps.append(lines.newest)
    return torch.stack(steps, dim=1)
