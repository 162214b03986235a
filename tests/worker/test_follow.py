"""What following a child costs: little a step, however many steps it reports."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from app.models import Run
from worker import follow
from worker.context import Context
from worker.tasks import work


def test_whether_to_cancel_is_not_asked_at_every_word_of_the_child(
    launch: Callable[..., int],
    context: Context,
    run_of: Callable[[int], Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    look = follow._asked_to_cancel
    monkeypatch.setattr(follow, "_asked_to_cancel", lambda *given: asked.append(given) or look(*given))
    monkeypatch.setattr(follow, "ASK_SECONDS", math.inf)
    run_id = launch(steps=40, step_seconds=0.01, checkpoint_every=100)
    work(context)
    assert run_of(run_id).step == 40
    assert len(asked) == 1
