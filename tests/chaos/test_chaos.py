"""The quick share: a few seeded trials of every promise; `make chaos` makes many."""

from collections.abc import Callable

import pytest

from tests.chaos import batch
from tests.chaos.ledger import Entry
from tests.chaos.promises import PROMISES
from tests.chaos.trial import Impossible, Promise
from tests.chaos.trials import broker


@pytest.fixture(autouse=True)
def shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is away for a minute is left to `make chaos`."""
    monkeypatch.setattr(broker, "DOWN_SECONDS", (0.0, 3.0))


@pytest.mark.slow
@pytest.mark.parametrize("promise", [p for p in PROMISES if p.quick], ids=lambda promise: promise.name)
def test_it_holds(promise: Promise, done: Callable[[Entry], None]) -> None:
    entries: list[Entry] = []
    try:
        batch.run(promise, range(promise.quick), entries.append)
    except Impossible as reason:
        pytest.skip(str(reason))
    for entry in entries:
        done(entry)
        print(entry.line())
    broken = [entry for entry in entries if entry.violations or entry.mistake]
    assert not broken, "\n".join(line for entry in broken for line in [*entry.violations, entry.mistake])
    assert len(entries) == promise.quick
