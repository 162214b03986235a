"""Signs of life during one long call: while it works, and not while it waits for what never comes."""

import threading
import time
from collections.abc import Callable

import pytest

from worker.finetune import pulse
from worker.finetune.reporter import Silent


class Counting(Silent):
    def __init__(self) -> None:
        self.said = threading.Event()

    def alive(self) -> None:
        self.said.set()


def compute(reporter: Counting) -> None:
    deadline = time.monotonic() + 20
    while not reporter.said.is_set() and time.monotonic() < deadline:
        sum(range(1000))


def wait(reporter: Counting) -> None:
    reporter.said.wait(0.5)


@pytest.mark.parametrize(("doing", "said"), [(compute, True), (wait, False)])
def test_work_is_heard_and_waiting_is_not(
    monkeypatch: pytest.MonkeyPatch, doing: Callable[[Counting], None], said: bool
) -> None:
    monkeypatch.setattr(pulse, "SECONDS", 0.05)
    reporter = Counting()
    with pulse.pulse(reporter):
        doing(reporter)
    assert reporter.said.is_set() is said
