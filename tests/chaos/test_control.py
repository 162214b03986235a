"""A harness that finds nothing may be blind: without lease, lock and fencing it has to find something, and soon."""

from pathlib import Path

import pytest

from tests.chaos import control
from tests.chaos.trial import Seed

TRIALS = 5


@pytest.mark.slow
def test_without_lease_lock_and_fencing_a_run_is_worked_on_twice(tmp_path: Path) -> None:
    with control.opened(tmp_path) as trial:
        for number in range(TRIALS):
            outcome = trial(Seed("control", number))
            print(f"control {number}: {outcome.note}", *outcome.violations, sep="\n  ")
            if any("two processes at once" in violation for violation in outcome.violations):
                return
    pytest.fail(f"{TRIALS} trials without any guard found nothing")
