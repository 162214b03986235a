"""Sides that take turns at the same training and the same evaluation; medians of what they took."""

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import _llamafactory
from benchmarks._asking import Json, Side, side
from benchmarks._cases import LORA, Case

OURS, PLAIN, PLAIN_CHECKPOINTING = "Tuneboard", "Trainer", "Trainer, gradient checkpointing"
FACTORY = "LLaMA-Factory"
OUR_MODULE, PLAIN_MODULE = "benchmarks._our_side", "benchmarks._plain_side"


@dataclass
class Found:
    """Answers of one side, a round each."""

    trained: list[Json] = field(default_factory=list)
    evaluated: list[Json] = field(default_factory=list)
    perplexity: float | None = None  # held-out, after the last training, by the side's own way

    def rate(self, clock: str = "seconds") -> float:
        """Useful tokens a second: of rows, without padding; a median over the rounds."""
        return statistics.median(float(answer["tokens"]) / float(answer[clock]) for answer in self.trained)

    @property
    def refused(self) -> str | None:
        """Why there is nothing to compare."""
        return next((str(answer["refused"]) for answer in self.trained if "refused" in answer), None)

    def evaluation(self, clock: str = "seconds") -> float:
        return statistics.median(float(answer[clock]) for answer in self.evaluated)


@dataclass(frozen=True)
class Turns:
    """One case at one number of threads."""

    case: Case
    threads: int
    sides: dict[str, Found]


def take(case: Case, threads: int, rounds: int, parts: Sequence[str], factory: str | None = None) -> Turns:
    """Sides alternate; where only evaluation is asked for, each trains once. `factory` is a Python of LLaMA-Factory."""
    found = {OURS: Found(), PLAIN: Found(), PLAIN_CHECKPOINTING: Found(), FACTORY: Found()}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ours = stack.enter_context(side([OUR_MODULE], threads, Path(folder, "ours.log")))
        plain = stack.enter_context(side([PLAIN_MODULE], threads, Path(folder, "plain.log")))
        given = _rows(case, ours, Path(folder, "rows.json"))
        for last in _rounds(rounds if "training" in parts else 1):
            _train(found, ours, plain, case, given, checkpointing="training" in parts, last=last)
            if factory and "training" in parts:
                found[FACTORY].trained.append(_llamafactory.train(factory, case, Path(given["rows"]), threads))
        for _ in range(rounds if "evaluation" in parts else 0):
            found[OURS].evaluated.append(ours.ask("evaluate"))
            found[PLAIN].evaluated.append(plain.ask("evaluate", max_new_tokens=case.new_tokens))
    return Turns(case, threads, {name: one for name, one in found.items() if one.trained})


def _rounds(count: int) -> Iterator[bool]:
    """Whether it is the last of so many."""
    return (number == count for number in range(1, count + 1))


def _rows(case: Case, ours: Side, to: Path) -> dict[str, Any]:
    """What the plain side is given: rows as tokens, and the layers that must stay whole."""
    made = ours.ask("rows", config=case.config, model=str(case.model), dataset=str(case.dataset), to=str(to))
    return {"model": str(case.model), "rows": str(to), "lora": LORA, "training": case.training, "whole": made["whole"]}


def _train(
    found: dict[str, Found], ours: Side, plain: Side, case: Case, given: Json, *, checkpointing: bool, last: bool
) -> None:
    """A round; the plain training whose evaluation counts comes last."""
    asked = {"config": case.config, "model": str(case.model), "dataset": str(case.dataset)}
    found[OURS].trained.append(ours.ask("train", **asked))
    for name, recompute in ((PLAIN_CHECKPOINTING, True), (PLAIN, False)):
        if recompute and not checkpointing:
            continue
        found[name].trained.append(plain.ask("train", **given, checkpointing=recompute))
        if last:
            found[name].perplexity = plain.ask("perplexity")["perplexity"]
    if last:
        found[OURS].perplexity = ours.ask("perplexity")["perplexity"]
