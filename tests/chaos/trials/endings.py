"""Every way in which a training process can end, and that the run's attempts, row and page call it by its name.

The stand-in ends as it is told; what only the libraries can do happens in the real training.
"""

import html
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.chaos import faults, invariants
from tests.chaos.house import House, Json
from tests.chaos.shim import Shim
from tests.chaos.trial import Impossible, Outcome, Seed, Trial

# Longer than the libraries take to load on a busy machine; the training says something while it loads them.
SILENCE_SECONDS = 15.0
STEPS = 8
SHORT: Json = {
    "data": {"max_length": 96},
    "training": {"max_steps": STEPS, "save_steps": 1, "learning_rate": 1e-3},
    "evaluation": {"max_eval_rows": 4, "max_new_tokens": 4},
}


@dataclass(frozen=True)
class Ending:
    """`stand_in`: the fault of the stand-in that is the same, where there is one."""

    kind: str
    cause: str
    goes_on: bool  # by itself, to its completion
    stand_in: str = ""


ENDINGS = (
    Ending("SIGKILL", "killed", True, "kill"),
    Ending("SIGSEGV", "crashed", True, "segv"),
    Ending("abort", "crashed", True, "abort"),
    Ending("exit code", "crashed", True, "exit:7"),
    Ending("exception", "unexpected", True),
    Ending("hang", "hung", True, "hang"),
    Ending("host memory", "out_of_memory", True),
    Ending("CUDA memory", "out_of_memory", True),
    Ending("import", "missing_library", False),
    Ending("NaN", "nan_loss", False),
    Ending("disk full", "disk_full", False),
)


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    try:
        shim = Shim(folder)
    except Impossible:
        shim = None
    environment = {"TUNEBOARD_SILENCE_SECONDS": str(SILENCE_SECONDS)} | (shim.environment if shim else {})
    with House(folder, environment=environment) as house:
        yield lambda seed: _trial(house, shim, seed)


def _trial(house: House, shim: Shim | None, seed: Seed) -> Outcome:
    ending, step = seed.turn(ENDINGS), seed.randint(2, STEPS - 1)
    real = not ending.stand_in or seed.number // len(ENDINGS) % 3 == 2
    if ending.kind == "disk full" and shim is None:
        return Outcome([], None, "disk full: not tried, as there is no C compiler")
    run_id = _launch_real(house, shim, ending, step, seed) if real else _launch(house, ending, step)
    house.wait_all()
    if shim:
        shim.free()
    (house.settings.runs_dir / faults.FILE).unlink(missing_ok=True)
    violations = [*_named(house, run_id, ending), *_followed(house, run_id, ending, step), *invariants.check(house)]
    how = "real" if real else "stand-in"
    return Outcome(violations, None, f"{ending.kind} in step {step} of run {run_id} ({how})")


def _launch(house: House, ending: Ending, step: int) -> int:
    return house.launch(
        steps=STEPS, checkpoint_every=1, prepare_seconds=0.0, evaluate_seconds=0.0,
        fault=ending.stand_in, at_step=step, times=1,
    )  # fmt: skip


def _launch_real(house: House, shim: Shim | None, ending: Ending, step: int, seed: Seed) -> int:
    if shim and ending.kind == "disk full":
        shim.fill("*/checkpoints/*", seed.randint(1, 12))
    else:
        kind = seed.choice(("host memory", "python memory")) if ending.kind == "host memory" else ending.kind
        (house.settings.runs_dir).mkdir(exist_ok=True)
        (house.settings.runs_dir / faults.FILE).write_text(json.dumps({"kind": kind, "step": step}))
    return house.launch(SHORT, real=True)


def _named(house: House, run_id: int, ending: Ending) -> Iterator[str]:
    """In the first attempt's row, and on the page of it and of the run."""
    attempts = house.api("GET", f"/runs/{run_id}/attempts").json()["items"]
    first = attempts[-1]
    if first["cause"] != ending.cause:
        yield f"{ending.kind} is called {first['cause']}: {first['reason']}"
    if not first["reason"]:
        yield f"{ending.kind} is given no reason"
    expected = 2 if ending.goes_on else 1
    if len(attempts) != expected:
        causes = [(attempt["number"], attempt["cause"], attempt["reason"]) for attempt in attempts]
        yield f"{ending.kind} took {len(attempts)} attempts, not {expected}: {causes}"
    page = httpx.get(f"{house.url}/runs/{run_id}", trust_env=False, timeout=30).text
    if first["reason"] not in html.unescape(page):
        yield f"its page does not say {first['reason']}"
    if "Traceback" in page:
        yield "its page shows a traceback"


def _followed(house: House, run_id: int, ending: Ending, step: int) -> Iterator[str]:
    """It went on to its end, or failed with a word for a person and what it had to give."""
    run = house.run(run_id)
    if run["status"] != ("completed" if ending.goes_on else "failed"):
        yield f"after {ending.kind} it is {run['status']}: {run['error']}"
        return
    if ending.cause == "out_of_memory" and not any("atch size" in warning for warning in run["warnings"]):
        yield f"half the batch size is not told beside the results: {run['warnings']}"
    if ending.goes_on:
        return
    if run["error"]["code"] != ending.cause or not all(run["error"].values()):
        yield f"{ending.kind} ends the run as {run['error']}"
    if ending.kind == "NaN":
        yield from _offers(house, run_id, run, step)


def _offers(house: House, run_id: int, run: Json, step: int) -> Iterator[str]:
    """The adapter of the checkpoint before the step that had no loss, and a curve that ends with a gap."""
    if f"loss of step {step} was nan" not in run["error"]["detail"]:
        yield f"the step is not named: {run['error']['detail']}"
    found = {item["name"]: item["step"] for item in house.api("GET", f"/runs/{run_id}/artifacts").json()["items"]}
    if found.get("adapter.zip") != step - 1:
        yield f"offered is {found}, not the adapter of step {step - 1}"
    answer = house.api("GET", f"/runs/{run_id}/metrics?name=train/loss").text
    (series,) = json.loads(answer)["series"]
    if "NaN" in answer or (series["steps"][-1], series["values"][-1]) != (step, None):
        yield f"the curve ends with {series['values'][-1]} at step {series['steps'][-1]}"
