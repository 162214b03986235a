"""What the quick share of trials came to is printed at the end of a test run, also when all of them held."""

from collections.abc import Callable

import pytest

from tests.chaos import table
from tests.chaos.ledger import Entry
from tests.chaos.promises import PROMISES

ENTRIES = pytest.StashKey[list[Entry]]()


@pytest.fixture
def done(request: pytest.FixtureRequest) -> Callable[[Entry], None]:
    """Where a trial is handed to."""
    return request.config.stash.setdefault(ENTRIES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    entries = config.stash.get(ENTRIES, [])
    tried = {entry.promise for entry in entries}
    if tried:
        terminalreporter.section("what was promised, and tried")
        terminalreporter.write_line(table.table([promise for promise in PROMISES if promise.name in tried], entries))
