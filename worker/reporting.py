"""The two ways a training process speaks: events over a pipe to its worker, or lines for a person."""

import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, Literal

from pydantic_core import to_json

from worker import protocol

Level = Literal["info", "warning", "error"]


class _Stoppable:
    """SIGTERM asks to stop; the training looks at `stop_requested` between two batches."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def stop_requested(self) -> bool:
        return self._stop.is_set()


class PipeReporter(_Stoppable):
    """Events as JSON lines on a file descriptor, from any thread.

    Points wait for the next word, so that a step, which is points and then progress, is written and read at once.
    """

    ALIVE_SECONDS = 1.0  # between two words that only say that work goes on

    def __init__(self, descriptor: int, stop: threading.Event) -> None:
        super().__init__(stop)
        self._pipe = os.fdopen(descriptor, "wb")
        self._lock = threading.Lock()
        self._said_at = 0.0
        self._waits = False

    def _send(self, event: protocol.Message) -> None:
        self._say(event.model_dump_json().encode())

    def _say(self, line: bytes) -> None:
        with self._lock:
            self._pipe.write(line + b"\n")
            self._flush()

    def _flush(self) -> None:
        self._pipe.flush()
        self._waits = False
        self._said_at = time.monotonic()

    def alive(self) -> None:
        """Also the word for points that no other one follows."""
        if self._waits:
            with self._lock:
                self._flush()
        elif time.monotonic() > self._said_at + self.ALIVE_SECONDS:
            self._send(protocol.Alive())

    def stage(self, name: str) -> None:
        self._send(protocol.Stage(name=name))

    def progress(self, step: int, total_steps: int, epoch: float, eta_seconds: float | None) -> None:
        self._say(_quickly("progress", step=step, total_steps=total_steps, epoch=epoch, eta_seconds=eta_seconds))

    def points(self, step: int, epoch: float, time: float, values: Mapping[str, float | None]) -> None:
        line = _quickly("points", step=step, epoch=epoch, time=time, values=values)
        with self._lock:
            self._pipe.write(line + b"\n")
            self._waits = True

    def log(self, message: str, level: Level = "info") -> None:
        self._send(protocol.Log(message=message, level=level))

    def warn(self, message: str) -> None:
        self._send(protocol.Warn(message=message))

    def environment(self, values: Mapping[str, Any]) -> None:
        self._send(protocol.Environment(values=dict(values)))

    def baseline(self, key: str, metrics: Mapping[str, float | None]) -> None:
        self._send(protocol.BaselineMeasured(key=key, metrics=dict(metrics)))

    def result(self, results: dict[str, Any], resources: dict[str, Any]) -> None:
        self._send(protocol.Result(results=results, resources=resources))

    def failure(self, code: str, title: str, detail: str, hint: str) -> None:
        self._send(protocol.Failure(code=code, title=title, detail=detail, hint=hint))


def _quickly(event: str, **fields: object) -> bytes:
    """What every step says: to make the message itself, checked and frozen, takes three times as long."""
    return to_json({"event": event, **fields}, inf_nan_mode="null")


class ConsoleReporter(_Stoppable):
    """Lines for whoever runs the command by hand."""

    SECONDS = 2.0  # between two lines of progress

    def __init__(self, stop: threading.Event) -> None:
        super().__init__(stop)
        self._said_at = 0.0
        self._loss: float | None = None

    def _say(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def stage(self, name: str) -> None:
        self._say(f"== {name}")

    def progress(self, step: int, total_steps: int, epoch: float, eta_seconds: float | None) -> None:
        now = time.monotonic()
        if now - self._said_at < self.SECONDS and step < total_steps:
            return
        self._said_at = now
        loss = "" if self._loss is None else f", loss {self._loss:.3f}"
        left = "" if eta_seconds is None else f", {eta_seconds:.0f} s left"
        self._say(f"step {step} of {total_steps}, epoch {epoch:.2f}{loss}{left}")

    def points(self, step: int, epoch: float, time: float, values: Mapping[str, float | None]) -> None:
        self._loss = values.get("train/loss", self._loss)
        if "eval/perplexity" in values:
            named = ", ".join(f"{name} {value:.4g}" for name, value in values.items() if value is not None)
            self._say(f"after step {step} (epoch {epoch:.2f}, {time:.0f} s): {named}")

    def log(self, message: str, level: Level = "info") -> None:
        self._say(message if level == "info" else f"{level}: {message}")

    def warn(self, message: str) -> None:
        self._say(f"warning: {message}")

    def environment(self, values: Mapping[str, Any]) -> None:
        self._say(", ".join(f"{name} {value}" for name, value in values.items() if isinstance(value, (str, int))))

    def baseline(self, key: str, metrics: Mapping[str, float | None]) -> None:
        self._say(f"base measured ({key})")

    def alive(self) -> None:
        pass

    def result(self, results: dict[str, Any], resources: dict[str, Any]) -> None:
        for name, change in results["improvement"].items():
            base, tuned = results["base"][name], results["finetuned"][name]
            self._say(f"{name}: {_number(base)} -> {_number(tuned)} ({_percent(change)})")
        self._say(f"{resources['train_seconds']:.1f} s of training on {resources['device']}")

    def failure(self, code: str, title: str, detail: str, hint: str) -> None:
        self._say(f"failed ({code}): {title}. {detail} {hint}")


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4f}"


def _percent(change: float | None) -> str:
    return "no change known" if change is None else f"{change:+.1%}"
