"""A child that another process forked for this one: what there is of `subprocess.Popen` for it."""

import os
import signal


class Adopted:
    stdin = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._exit_code: int | None = None

    def poll(self) -> int | None:
        """None while it runs; negative: the number of the signal that ended it."""
        return self._ended(os.WNOHANG)

    def wait(self) -> int | None:
        return self._ended(0)

    def terminate(self) -> None:
        if self.poll() is None:  # else its number may be another's
            os.kill(self.pid, signal.SIGTERM)

    def _ended(self, options: int) -> int | None:
        if self._exit_code is None:
            pid, status = os.waitpid(self.pid, options)
            self._exit_code = os.waitstatus_to_exitcode(status) if pid else None
        return self._exit_code
