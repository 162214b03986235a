"""The quick share of one promise, a JSON line a trial, for test_chaos.py: `python -m tests.chaos.quick NAME`."""

import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict

from tests.chaos import batch
from tests.chaos.__main__ import interrupt
from tests.chaos.ledger import Entry
from tests.chaos.promises import PROMISES
from tests.chaos.trial import Impossible
from tests.chaos.trials import broker


def main(arguments: Sequence[str]) -> None:
    signal.signal(signal.SIGTERM, interrupt)  # then the house is left in good order
    promise = next(promise for promise in PROMISES if promise.name == arguments[0])
    broker.DOWN_SECONDS = (0.0, 3.0)  # away for a minute it is in `make chaos`
    try:
        batch.run(promise, range(promise.quick), _tell)
    except Impossible as reason:
        print(json.dumps({"impossible": str(reason)}), flush=True)


def _tell(entry: Entry) -> None:
    print(json.dumps(asdict(entry)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
