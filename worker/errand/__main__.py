"""The errand process: reads `{"kind", "request"}` a line until the input ends, answers over a pipe.

    python -m worker.errand --report-fd N --parent-pid PID

A line back is `{"partial": ...}`, `{"answer": ...}` or `{"error": {code, title, detail, hint}}`.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from types import TracebackType
from typing import IO, Any

from app.errors import Invalid
from app.processes import die_with
from worker import libraries, threads
from worker.finetune.errors import FinetuneError, explain
from worker.protocol import Exit

PARTIAL_SECONDS = 0.2  # between two words of how far it is
NICENESS = 10

Run = Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], dict[str, Any]]


class Pipe:
    """What goes back to the worker. Partial results may be left out where they come faster than anybody reads."""

    def __init__(self, descriptor: int) -> None:
        self._pipe: IO[str] = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)
        self._due = 0.0

    def say(self, **message: Any) -> None:
        self._pipe.write(json.dumps(message) + "\n")

    def partial(self, value: dict[str, Any]) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + PARTIAL_SECONDS
            self.say(partial=value)

    def error(self, error: FinetuneError) -> None:
        known = {"code": error.code, "title": error.title, "detail": error.detail, "hint": error.hint}
        self.say(error=known)


def main() -> int:
    options = _options()
    if os.getppid() != options.parent_pid:
        return Exit.ORPHANED
    die_with(options.parent_pid)
    if options.light:
        _travel_light()
    os.environ["OMP_NUM_THREADS"] = str(threads.watch()())
    libraries.prepare()
    pipe = Pipe(options.report_fd)
    _tell_of_the_unexpected(pipe)
    for line in sys.stdin:
        message = json.loads(line)
        try:
            pipe.say(answer=_runner(message["kind"])(message["request"], pipe.partial))
        except FinetuneError as error:
            pipe.error(error)
        except Invalid as error:
            pipe.error(FinetuneError("invalid", error.title, str(error), "Correct this, then ask again."))
    return Exit.DONE


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m worker.errand", description="Do errands for a worker.")
    parser.add_argument("--report-fd", type=int, required=True)
    parser.add_argument("--parent-pid", type=int, required=True)
    parser.add_argument("--light", action="store_true", help="give way to a training, and do without torch")
    return parser.parse_args()


def _travel_light() -> None:
    """Tokenizers need no torch, which takes seconds and 270 MB to load; transformers asks whether it is there."""
    sys.modules["torch"] = None  # type: ignore[assignment]
    os.nice(NICENESS)


def _runner(kind: str) -> Run:
    """Imported when it is first asked for: most kinds need libraries that take seconds to load."""
    run: Run = import_module(f"worker.errand.{kind}").run
    return run


def _tell_of_the_unexpected(pipe: Pipe) -> None:
    """What nobody caught ends the process, and is told in words first; its traceback is printed into the log."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        hint = "Ask again; if it fails again, report it with the log in the data folder's errands folder."
        unknown = FinetuneError("unexpected", "Something went wrong", f"{kind.__name__}: {error}", hint)
        pipe.error(explain(error) or unknown)
        sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
