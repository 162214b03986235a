"""Importing a training's libraries in less time, without what no training needs of them.

Two fifths of it are a search for garbage among what all stays, and a compiler: bitsandbytes hands functions to
torch.compile as it is imported, which loads inductor, and hardly a training calls one of them.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial, wraps
from importlib import import_module
from types import FunctionType
from typing import Any

Function = Callable[..., Any]


@contextmanager
def quickly() -> Iterator[None]:
    """For the imports of a process that has done nothing else yet."""
    searched = gc.isenabled()
    gc.disable()
    try:
        with _compiled_when_called():
            yield
    finally:
        if searched:
            gc.enable()


@contextmanager
def _compiled_when_called() -> Iterator[None]:
    torch: Any = import_module("torch")
    compile_now = torch.compile
    torch.compile = partial(_when_called, compile_now)
    try:
        yield
    finally:
        torch.compile = compile_now


def _when_called(compile_now: Function, model: Any = None, **options: Any) -> Any:
    """What torch.compile gives for a function, by and by; for anything else at once."""
    if model is None:
        return partial(_when_called, compile_now, **options)
    if not isinstance(model, FunctionType):
        return compile_now(model, **options)
    compiled = cache(lambda: compile_now(model, **options))

    @wraps(model)
    def call(*arguments: Any, **named: Any) -> Any:
        return compiled()(*arguments, **named)

    return call
