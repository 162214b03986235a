"""What a trial is, and what it answers."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Broken(Exception):
    """A promise broke in a way that a trial cannot go on from: counted as its violation."""


class Impossible(Exception):
    """This machine cannot try it, and why: neither held nor broken."""


class Seed(Random):
    """All that is random in one trial: the same promise and number give the same again."""

    def __init__(self, promise: str, number: int) -> None:
        super().__init__(f"{promise}:{number}")
        self.number = number

    def turn(self, kinds: Sequence[T]) -> T:
        """One kind after the other, trial by trial, so that a few trials already meet them all."""
        return kinds[self.number % len(kinds)]


@dataclass(frozen=True)
class Outcome:
    violations: list[str]  # empty: the promise held
    recovery: float | None = None  # seconds until all was well again, where the promise has a time
    note: str = ""  # what was done: "kill -9 of the worker at 1.32 s, stage evaluating"


Trial = Callable[[Seed], Outcome]


@dataclass(frozen=True)
class Promise:
    name: str
    sentence: str
    quick: int  # trials in `make test`
    full: int  # what `make chaos` aims at
    # Opens what many trials share (a House on that folder) and yields the trial.
    open: Callable[[Path], AbstractContextManager[Trial]]
