"""A house that `tuneboard up` runs: what dies in it is started again by the product, not by a trial."""

import signal
import sys
from contextlib import suppress

import psutil

from tests.chaos import house
from tests.chaos.house import House, end, until

# What tells the parts apart on their command lines.
BROKER, WEB, WORKER = "unixsocket", "app.web.server", house.WORKER


class Supervised(House):
    """Its handles are found among the children of `up`, new ones after each death."""

    up: psutil.Process | None = None

    def start(self) -> None:
        self.up = self.spawn("up", [sys.executable, "-m", "tests.chaos.up"])

    def stop(self) -> None:
        end(self.up, signal.SIGKILL)
        super().stop()

    def parts(self) -> list[psutil.Process]:
        self.find()
        return [*super().parts(), *([self.up] if self.up else [])]

    def find(self) -> None:
        """Have the handles be those of the processes that live now."""
        found = list(self._parts_of_up())
        self.broker, self.web, self.workers[0] = (
            next((process for process, line in found if words in line), None) for words in (BROKER, WEB, WORKER)
        )

    def _parts_of_up(self) -> list[tuple[psutil.Process, str]]:
        found = []
        with suppress(psutil.Error):
            for process in self.up.children() if self.up else []:
                with suppress(psutil.Error):  # gone, or not yet the program that it will be
                    found.append((process, " ".join(process.cmdline())))
        return found

    def kill_worker(self, index: int = 0, number: signal.Signals = signal.SIGKILL) -> None:
        self.find()
        super().kill_worker(index, number)

    def _children(self, worker: int) -> list[psutil.Process]:
        self.find()
        return super()._children(worker)

    def end_up(self, number: signal.Signals) -> float:
        """Stop the whole thing; how long it took until nothing of it was left."""
        assert self.up
        self.up.send_signal(number)
        took = until(lambda: not self.processes(), 60, f"after {number.name} something of `tuneboard up` lives")
        self.up.wait()
        return took
