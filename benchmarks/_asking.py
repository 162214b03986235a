"""Work asked of another process, a line of JSON each way: libraries loaded once, and nothing of one side in another.

A side is idle while another works, so that sides can take turns on the same machine.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
Json = dict[str, Any]


class Side:
    """A process that answers. What its libraries print goes to its log."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process, self._log = process, log

    def ask(self, do: str, **what: Any) -> Json:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **what}).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a side of the benchmark ended:\n{self._log.read_text()[-2000:]}")
        answer: Json = json.loads(line)
        return answer


@contextmanager
def side(command: Sequence[str], threads: int, log: Path) -> Iterator[Side]:
    """`python -m ...`, computing with so many threads, for as long as the block runs."""
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output,
        )  # fmt: skip
    with process:  # which closes its pipes
        try:
            yield Side(process, log)
        finally:
            process.kill()  # it has nothing to keep


def answer(doing: dict[str, Callable[..., Json]]) -> None:
    """Do what is asked until the asker has gone. Answers have a pipe of their own: anything may print."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps(doing[asked.pop("do")](**asked)) + "\n")
        answers.flush()


@contextmanager
def timed(into: Json) -> Iterator[None]:
    """Seconds by the clock, and of this process's CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    into |= {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
