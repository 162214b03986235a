"""One run in a process of its own: the worker's child, and the command to repeat a run.

    python -m worker config.json --output-dir out --dataset rows.jsonl --model folder

The process ties itself to its worker and takes the run's lock before it imports torch, which takes seconds.
"""

import argparse
import gc
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, NoReturn

from app.errors import Invalid
from app.processes import die_with, hold_lock
from app.run_config import RunConfig, parse
from worker import imports, libraries, threads
from worker.finetune.errors import MISSING_LIBRARY, FinetuneError, Stopped, explain
from worker.finetune.pulse import pulse
from worker.protocol import Exit
from worker.reporting import ConsoleReporter, PipeReporter

if TYPE_CHECKING:
    from worker.finetune.pipeline import Outcome

LOCK_SECONDS = 2.0  # a process that is being killed may hold the lock for a moment


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options().parse_args(arguments)
    if options.parent_pid is not None:
        if os.getppid() != options.parent_pid:
            return Exit.ORPHANED
        die_with(options.parent_pid)
    lock = _locked(options.lock) if options.lock else None
    if options.lock and lock is None:
        return Exit.LOCKED
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(Exit.STOPPED))  # until there is something to keep
    reporter = ConsoleReporter(stop) if options.report_fd is None else PipeReporter(options.report_fd, stop)
    _tell_of_the_unexpected(reporter)
    try:
        config = parse(json.loads(options.config.read_text(encoding="utf-8")))
    except (OSError, ValueError, Invalid) as error:
        reporter.failure("bad_config", "The configuration cannot be used", str(error), f"Check {options.config.name}.")
        return Exit.FAILED
    return _run(config, options, reporter, stop)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker", description="Run one fine-tuning, without any queue.")
    parser.add_argument("config", type=Path, help="a RunConfig as JSON")
    parser.add_argument("--output-dir", type=Path, required=True, help="folder for checkpoints and artifacts")
    parser.add_argument("--dataset", type=Path, required=True, help="stored rows, one JSON object a line")
    parser.add_argument("--model", type=Path, required=True, help="folder of the base model")
    parser.add_argument("--model-commit", help="commit of a hub model, for the record")
    parser.add_argument("--dataset-sha256", help="content hash of the data set; default: that of the file")
    parser.add_argument("--dataset-name", help="what people call it, for the model card")
    parser.add_argument("--baselines-dir", type=Path, help="where base measurements are kept; default: output folder")
    parser.add_argument("--cache-dir", type=Path, help="where tokens of rows are kept for the next run")
    parser.add_argument("--report-fd", type=int, help="write events there as JSON lines; default: print")
    parser.add_argument("--lock", type=Path, help="hold an exclusive lock on this file")
    parser.add_argument("--parent-pid", type=int, help="end when the parent ends")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint, if there is one")
    parser.add_argument(
        "--batch-divisor", type=int, default=1, help="cut each batch into so many: the same rows a step, less memory"
    )
    return parser


def _locked(path: Path) -> IO[str] | None:
    deadline = time.monotonic() + LOCK_SECONDS
    while (lock := hold_lock(path)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return lock


def _tell_of_the_unexpected(reporter: ConsoleReporter | PipeReporter) -> None:
    """Whatever nobody caught ends with a failure event too; the traceback is printed, and so reaches no page.

    Python then exits with 1, which is Exit.FAILED. The event comes first: where memory is short, printing may fail.
    """

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        hint = "Retry the run; if it fails again, report it with output.log from the run's folder."
        unknown = FinetuneError("unexpected", "Something went wrong", f"{kind.__name__}: {error}", hint)
        known = explain(error) or unknown
        reporter.failure(known.code, known.title, known.detail, known.hint)
        sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook


def _run(
    config: RunConfig, options: argparse.Namespace, reporter: ConsoleReporter | PipeReporter, stop: threading.Event
) -> int:
    prepare_environment()
    count_threads = threads.watch()
    try:
        with pulse(reporter):
            finetune = load_libraries()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        outcome = finetune(
            config,
            model_path=options.model,
            rows_path=options.dataset,
            output_dir=options.output_dir,
            baselines_dir=options.baselines_dir,
            cache_dir=options.cache_dir,
            model_commit=options.model_commit,
            dataset_sha256=options.dataset_sha256,
            dataset_name=options.dataset_name,
            resume=options.resume,
            batch_divisor=options.batch_divisor,
            count_threads=count_threads,
            reporter=reporter,
        )
    except Stopped:
        reporter.log("Stopped on request.")
        return Exit.STOPPED
    except FinetuneError as error:
        reporter.failure(error.code, error.title, error.detail, error.hint)
        return Exit.FAILED
    reporter.result(outcome.results, outcome.resources)
    return Exit.DONE


def load_libraries() -> Callable[..., "Outcome"]:
    """The training, with all it imports. A library that does not fit another one fails in many ways, and none of
    them is the run's fault."""
    try:
        with imports.quickly():
            import worker.finetune.scoring  # noqa: F401 - slow, and later it would keep a request to stop waiting
            from worker.finetune.pipeline import finetune
    except (ImportError, OSError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        traceback.print_exc()
        raise explain(error) or replace(MISSING_LIBRARY, detail=f"{type(error).__name__}: {error}") from error
    gc.freeze()  # what was imported stays; looked through for garbage, it takes a fifth of tokenising many rows
    return finetune


def prepare_environment() -> None:
    """Before torch is imported: no network, no talk of libraries among what the run says, and no memory for nothing."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    libraries.prepare()


def leave(code: int) -> NoReturn:
    """Everything is on disk; taking torch apart in good order would cost seconds."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
