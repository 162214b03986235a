"""What a trial is, and what it answers. No logic."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from random import Random


class Broken(Exception):
    """A promise broke in a way that a trial cannot go on from: counted as its violation."""


class Impossible(Exception):
    """This machine cannot try it, and why: neither held nor broken."""


@dataclass(frozen=True)
class Outcome:
    violations: list[str]  # empty: the promise held
    recovery: float | None = None  # seconds until all was well again, where the promise has a time
    note: str = ""  # what was done: "kill -9 of the worker at 1.32 s, stage evaluating"


# One trial; everything random comes from the Random.
Trial = Callable[[Random], Outcome]


@dataclass(frozen=True)
class Promise:
    name: str
    sentence: str
    quick: int  # trials in `make test`
    full: int  # what `make chaos` aims at
    # Opens what many trials share (a House on that folder) and yields the trial.
    open: Callable[[Path], AbstractContextManager[Trial]]
