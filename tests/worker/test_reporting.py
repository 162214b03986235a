"""What a training says over its pipe: when it is written, in which order, and as which messages."""

import math
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from worker.protocol import Event, Points, Progress, parse_event
from worker.reporting import PipeReporter

VALUES = {"train/loss": 2.5, "train/grad_norm": None}
SAID = Points(step=3, epoch=0.5, time=1.5, values=VALUES)


class Heard:
    """A reporter and the end of its pipe that the worker reads."""

    def __init__(self) -> None:
        self.end, writing = os.pipe()
        os.set_blocking(self.end, False)
        self.reporter = PipeReporter(writing, threading.Event())

    def points(self) -> None:
        self.reporter.points(SAID.step, SAID.epoch, SAID.time, SAID.values)

    def now(self) -> list[Event]:
        """What has been written since the last call."""
        try:
            return [parse_event(line) for line in os.read(self.end, 1 << 20).splitlines()]
        except BlockingIOError:
            return []


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard = Heard()
    yield heard
    heard.reporter._pipe.close()
    os.close(heard.end)


def test_points_are_written_with_the_progress_that_follows_them(heard: Heard) -> None:
    heard.points()
    assert heard.now() == []
    heard.reporter.progress(3, 10, 0.5, None)
    assert heard.now() == [SAID, Progress(step=3, total_steps=10, epoch=0.5)]


SAY: dict[str, Callable[[PipeReporter], None]] = {
    "stage": lambda r: r.stage("saving"),
    "log": lambda r: r.log("Größer."),
    "warn": lambda r: r.warn("Beware."),
    "environment": lambda r: r.environment({"torch": "2"}),
    "baseline": lambda r: r.baseline("key", {"perplexity": None}),
    "result": lambda r: r.result({}, {}),
    "failure": lambda r: r.failure("oom", "Out of memory", "Detail.", "Hint."),
}


@pytest.mark.parametrize("kind", SAY)
def test_no_word_comes_before_the_points_that_were_said_before_it(kind: str, heard: Heard) -> None:
    heard.points()
    SAY[kind](heard.reporter)
    first, second = heard.now()
    assert (first, second.event) == (SAID, kind)


def test_points_that_nothing_follows_are_the_next_sign_of_life(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PipeReporter, "ALIVE_SECONDS", math.inf)
    for _ in range(2):
        heard.points()
        heard.reporter.alive()
        assert heard.now() == [SAID]
    heard.reporter.alive()
    assert heard.now() == []
    monkeypatch.setattr(PipeReporter, "ALIVE_SECONDS", 0.0)
    heard.reporter.alive()
    assert [event.event for event in heard.now()] == ["alive"]


def test_what_is_no_number_is_null(heard: Heard) -> None:
    heard.reporter.points(1, 0.1, 1.0, {"a": math.nan, "b": math.inf})
    heard.reporter.alive()
    assert heard.now() == [Points(step=1, epoch=0.1, time=1.0, values={"a": None, "b": None})]


def test_points_said_while_another_thread_writes_are_not_forgotten(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PipeReporter, "ALIVE_SECONDS", math.inf)
    other = threading.Thread(target=heard.points)

    flush = heard.reporter._pipe.flush

    def flush_and_be_interrupted() -> None:
        flush()
        if other.ident is None:
            other.start()
            other.join(0.3)

    monkeypatch.setattr(heard.reporter._pipe, "flush", flush_and_be_interrupted)
    heard.reporter.log("one")
    other.join()
    assert [event.event for event in heard.now()] == ["log"]
    heard.reporter.alive()
    assert heard.now() == [SAID]
