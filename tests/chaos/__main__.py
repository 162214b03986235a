"""`make chaos`: trials of all promises in turn, until each has its number of them, the time is over, or Ctrl-C.

    python -m tests.chaos [--minutes N] [--only NAME]... [--seed N] [--report]

It goes on where the last go stopped, by the ledger in .chaos/. A trial is made again with --only NAME --seed N.
"""

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from types import FrameType

from tests.chaos import batch, ledger, table
from tests.chaos.ledger import Entry
from tests.chaos.promises import PROMISES
from tests.chaos.trial import Impossible, Promise

BATCH_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options().parse_args(arguments)
    promises = [promise for promise in PROMISES if not options.only or promise.name in options.only]
    if not options.report:
        signal.signal(signal.SIGTERM, interrupt)
        try:
            if options.seed is None:
                _in_turn(promises, time.monotonic() + 60 * options.minutes)
            else:
                _again(promises, options.seed)
        except KeyboardInterrupt:
            print("\nStopped; the next go continues here.")
    entries = ledger.read()
    print(table.table(PROMISES, entries), *table.mended(PROMISES, entries), sep="\n")
    return int(any(entry.violations for entry in {(e.promise, e.seed): e for e in entries}.values()))


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Try to break what is promised.")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no trial after this time")
    parser.add_argument("--only", action="append", choices=[promise.name for promise in PROMISES], metavar="NAME")
    parser.add_argument("--seed", type=int, help="make this one trial (again) of each promise")
    parser.add_argument("--report", action="store_true", help="only print the table")
    return parser


def interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _in_turn(promises: Sequence[Promise], deadline: float) -> None:
    """About a minute of each promise, then of the next; one that this machine cannot try is left out."""
    waiting = list(promises)
    while waiting and time.monotonic() < deadline:
        for promise in list(waiting):
            first = ledger.next_seed(ledger.read(), promise.name)
            if first >= promise.full:
                waiting.remove(promise)
                continue
            try:
                batch.run(promise, _while_due(first, promise.full, deadline), _done)
            except Impossible as reason:
                print(f"{promise.name}: cannot be tried here: {reason}", flush=True)
                waiting.remove(promise)


def _while_due(first: int, last: int, deadline: float) -> Iterator[int]:
    until = min(deadline, time.monotonic() + BATCH_SECONDS)
    for number in range(first, last):
        if time.monotonic() > until:
            return
        yield number


def _again(promises: Sequence[Promise], seed: int) -> None:
    for promise in promises:
        batch.run(promise, [seed], _done)


def _done(entry: Entry) -> None:
    ledger.append(entry)
    print(entry.line(), flush=True)
    for violation in entry.violations:
        print(f"  VIOLATION {entry.promise} --seed {entry.seed}: {violation}", flush=True)
    if entry.mistake:
        print(
            f"  MISTAKE OF THE HARNESS {entry.promise} --seed {entry.seed}: {entry.mistake.splitlines()[-1]}",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
