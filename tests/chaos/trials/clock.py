"""The time of day jumps for web, workers and children while a run goes on: nothing is taken for dead, or twice."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos import invariants
from tests.chaos.house import House
from tests.chaos.shim import Shim
from tests.chaos.trial import Outcome, Seed, Trial

# A second, the wrap of a 32-bit counter of 1/16 ms, an hour, a day.
SIZES = (86_400.0, 3600.0, 262.0, 1.0)
MOST_JUMPS = 5


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    shim = Shim(folder)
    with House(folder, workers=2, environment=shim.environment) as house:
        yield lambda seed: _trial(house, shim, seed)
        shim.set_clock(0)


def _trial(house: House, shim: Shim, seed: Seed) -> Outcome:
    size, violations, jumps = seed.turn(SIZES), [], []
    first = house.launch()
    for _ in range(seed.randint(2, MOST_JUMPS)):
        time.sleep(seed.uniform(0.1, 1.2))
        jumps.append(seed.choice((size, -size, 0.0)))
        shim.set_clock(jumps[-1])
        if not house.web_is_ready():
            violations.append(f"{jumps[-1]:+.0f} s: {house.readiness()}")
    second = house.launch()
    violations += house.wait_all()
    violations += [broken for run_id in (first, second) for broken in _untouched(house, run_id)]
    return Outcome([*violations, *invariants.check(house)], None, f"jumps to {', '.join(f'{j:+.0f} s' for j in jumps)}")


def _untouched(house: House, run_id: int) -> Iterator[str]:
    """One attempt is all that a run needs whose worker was well; its page can be read, whatever times it shows."""
    run = house.run(run_id)
    if (run["status"], run["attempt"]) != ("completed", 1):
        yield f"run {run_id} is {run['status']} in attempt {run['attempt']}: {run['error']}"
    for path in (f"/runs/{run_id}", "/", "/queue"):
        if (page := house.page(path)).status_code != 200 or "\N{MINUS SIGN}" in _durations(page.text):
            yield f"{path}: {page.status_code}, durations {_durations(page.text)}"


def _durations(page: str) -> str:
    """What the head of a run's page says about how long it took."""
    _, took, rest = page.partition("took ")
    return rest[:40] if took else ""
