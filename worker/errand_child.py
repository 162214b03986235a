"""The process that does errands, as its worker sees it: one JSON object a line in, and back over a pipe."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from worker.child import Child, download_environment, training_environment

# What the interpreter is started with; tests put a stand-in in its place.
COMMAND = ("-m", "worker.errand")
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}


class ErrandChild:
    """`alone`: it has the device to itself; else it sees no GPU. Only `hub_token` lets it reach the hub."""

    def __init__(self, output: Path, *, alone: bool, hub_token: bool) -> None:
        output.parent.mkdir(parents=True, exist_ok=True)
        environment = download_environment() if hub_token else training_environment()
        command = [*COMMAND, "--report-fd", "{fd}", "--parent-pid", str(os.getpid()), *([] if alone else ["--light"])]
        self._child = Child.start(
            command,
            environment=environment if alone else environment | NO_GPU,
            output=output,
            stdin=subprocess.PIPE,
        )

    def ask(self, message: dict[str, Any]) -> None:
        """Raises BrokenPipeError where it died meanwhile."""
        assert self._child.process.stdin
        self._child.process.stdin.write(json.dumps(message).encode() + b"\n")
        self._child.process.stdin.flush()

    def said(self, wait: float) -> list[dict[str, Any]]:
        """`{"partial": ...}`, `{"answer": ...}` or `{"error": ...}`, after at most so many seconds."""
        return [json.loads(line) for line in self._child.lines(wait)]

    @property
    def exit_code(self) -> int | None:
        return self._child.exit_code

    def end(self) -> None:
        """End it now, whatever it is at."""
        self._child.kill()
        self._child.process.wait()

    def close(self) -> None:
        """The same, for good: nothing of it is left."""
        self._child.close()
