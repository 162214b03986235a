"""Who computes on the device: one at a time, in the order of asking, so that neither runs nor errands starve."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition


class DeviceLine:
    def __init__(self) -> None:
        self._line: deque[object] = deque()
        self._moved = Condition()

    @contextmanager
    def place(self) -> Iterator[Callable[..., bool]]:
        """Stand in line within the block; what it gives waits until the device is ours, or so many seconds."""
        mine = object()
        with self._moved:
            self._line.append(mine)

        def reached(seconds: float | None = None) -> bool:
            with self._moved:
                return self._moved.wait_for(lambda: self._line[0] is mine, seconds)

        try:
            yield reached
        finally:
            with self._moved:
                self._line.remove(mine)
                self._moved.notify_all()
