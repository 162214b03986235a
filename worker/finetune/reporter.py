"""What a run tells whoever started it, and the one thing it asks: whether to stop."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from worker.finetune.errors import Stopped

Level = Literal["info", "warning", "error"]


class Reporter(Protocol):
    def stage(self, name: str) -> None:
        """One of app.status.STAGES begins."""

    def progress(self, step: int, total_steps: int, epoch: float, eta_seconds: float | None) -> None: ...

    def points(self, step: int, epoch: float, time: float, values: Mapping[str, float | None]) -> None:
        """New points by metric name; `time` is seconds of training so far."""

    def log(self, message: str, level: Level = "info") -> None: ...

    def warn(self, message: str) -> None:
        """A sentence that belongs beside the results for ever."""

    def environment(self, values: Mapping[str, Any]) -> None: ...

    def baseline(self, key: str, metrics: Mapping[str, float | None]) -> None:
        """Which base measurement the run goes by, new or stored."""

    def alive(self) -> None:
        """Work goes on, with nothing to tell of it. Cheap, and to be said often: who is silent too long is ended."""

    def stop_requested(self) -> bool: ...


class Silent:
    """Says nothing, never stops."""

    def stage(self, name: str) -> None:
        pass

    def progress(self, step: int, total_steps: int, epoch: float, eta_seconds: float | None) -> None:
        pass

    def points(self, step: int, epoch: float, time: float, values: Mapping[str, float | None]) -> None:
        pass

    def log(self, message: str, level: Level = "info") -> None:
        pass

    def warn(self, message: str) -> None:
        pass

    def environment(self, values: Mapping[str, Any]) -> None:
        pass

    def baseline(self, key: str, metrics: Mapping[str, float | None]) -> None:
        pass

    def alive(self) -> None:
        pass

    def stop_requested(self) -> bool:
        return False


def check_stop(reporter: Reporter) -> None:
    """Between two pieces of work, each of seconds at most: says that it goes on, and hears that it should not."""
    reporter.alive()
    if reporter.stop_requested():
        raise Stopped
