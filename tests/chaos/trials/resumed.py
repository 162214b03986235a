"""Real trainings that are ended at random moments and go on, against one that nobody disturbed: equal to the last bit.

On the CPU, with one thread, without a house: what is compared is the training. Settings change from trial to trial.
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.run_config import RunConfig
from tests.chaos.invariants import sha256
from tests.chaos.trial import Broken, Outcome, Seed, Trial
from tests.chaos.zygote import Zygote
from worker.protocol import Exit

BASE = Path(__file__).resolve().parents[3] / "samples/models/clinic-2m"
SECONDS = 180.0  # in which one attempt has to come to its end
MOST_KILLS = 3
# Of the points, those that a clock or the machine has a part in.
MEASURED = {"train/tokens_per_second", "system/memory"}


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    rows = ({"instruction": f"What is item {n}?", "response": f"Item {n} follows {n - 1}." * 2} for n in range(40))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Zygote(folder) as zygote:
        yield lambda seed: _trial(zygote, folder, seed)


def _trial(zygote: Zygote, folder: Path, seed: Seed) -> Outcome:
    config = _config(seed)
    whole, harmed = folder / f"{seed.number}-whole", folder / f"{seed.number}-harmed"
    for place in (whole, harmed):
        place.mkdir()
        (place / "config.json").write_text(config.model_dump_json())
    if (code := _wait(zygote, _start(zygote, whole))) != Exit.DONE:
        raise RuntimeError(f"the undisturbed training ended with {code}")
    notes, violations = [], []
    for _ in range(seed.randint(1, MOST_KILLS)):
        note, violation = _interrupt(zygote, harmed, seed)
        notes.append(note)
        violations += violation
    if (code := _wait(zygote, _start(zygote, harmed))) != Exit.DONE:
        violations.append(f"the resumed training ended with {code}")
    else:
        violations += _differences(whole, harmed)
    if not violations:
        shutil.rmtree(whole)
        shutil.rmtree(harmed)
    training = config.training
    how = f"{training.optim}, save_steps {training.save_steps}, packing {training.packing}"
    return Outcome(violations, None, f"{'; '.join(notes)} ({how})")


def _config(seed: Seed) -> RunConfig:
    choosing = seed.random() < 0.5
    training = {
        "optim": seed.choice(("adamw_torch", "paged_adamw_8bit", "sgd", "adafactor", "lion_8bit")),
        "lr_scheduler_type": seed.choice(("cosine", "linear", "constant_with_warmup")),
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": seed.choice((1, 2)),
        "learning_rate": 1e-3,
        "num_train_epochs": 2,
        "packing": seed.random() < 0.3,
        "save_steps": seed.choice((1, 2, 3, None)),
        "eval_steps": seed.choice((2, 3, None)),
        "load_best_model_at_end": choosing,
        "seed": seed.randrange(1000),
    }
    values = {
        "model": {"base_model": "sample/clinic-2m"},
        "quantization": {"method": seed.choice(("nf4", "nf4", "int8", "none"))},
        "lora": {"r": 4, "lora_dropout": seed.choice((0.0, 0.1))},
        "data": {"dataset": 1, "max_length": 64, "eval_fraction": 0.2, "validation_fraction": 0.2 if choosing else 0.0},
        "training": training,
        "evaluation": {"max_eval_rows": 4, "max_new_tokens": 4},
    }
    return RunConfig.model_validate(values)


def _start(zygote: Zygote, place: Path) -> int:
    """`python -m worker` on it, as a worker starts it: to go on where there is something to go on from."""
    where = ["--output-dir", place, "--dataset", place.with_name("rows.jsonl"), "--model", BASE]
    where += ["--baselines-dir", place.with_name("baselines"), "--lock", place / "lock", "--resume"]
    return zygote.start("train", str(place / "config.json"), *map(str, where))


def _interrupt(zygote: Zygote, place: Path, seed: Seed) -> tuple[str, list[str]]:
    """End an attempt at a random step of its own, and a little after it, by a request or without one."""
    number, after = seed.choice((signal.SIGKILL, signal.SIGTERM)), seed.randint(0, 16)
    began, pid = _steps(place), _start(zygote, place)
    deadline = time.monotonic() + SECONDS
    while _steps(place) < began + after and _lives(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            zygote.wait(pid)
            raise Broken(f"an attempt made no {after} steps in {SECONDS:.0f} s")
        time.sleep(0.005)
    time.sleep(seed.uniform(0, 0.3))
    os.kill(pid, number)  # it is there until it is waited for
    code = _wait(zygote, pid)
    ended = code in (Exit.DONE, -number if number == signal.SIGKILL else Exit.STOPPED)
    note = f"{number.name} after {after} steps"
    return note, [] if ended else [f"{note}: it ended with {code}"]


def _wait(zygote: Zygote, pid: int) -> int:
    deadline = time.monotonic() + SECONDS
    while _lives(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    return zygote.wait(pid)


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def _steps(place: Path) -> int:
    """How many were begun, in all attempts together."""
    order = place / "order.jsonl"
    return order.read_text().count("\n") if order.exists() else 0


def _differences(whole: Path, harmed: Path) -> list[str]:
    found = []
    for name in ("adapter.zip", "predictions.jsonl"):
        if sha256(whole / "artifacts" / name) != sha256(harmed / "artifacts" / name):
            found.append(f"another {name}")
    if _points(whole) != _points(harmed):
        found.append("other points, or another order of them")
    rows, again = _rows(whole), _rows(harmed)
    if any(len({json.dumps(batches) for batches in made}) != 1 for made in again.values()):
        found.append("one step was made of other rows in another attempt")
    if {step: made[-1] for step, made in again.items()} != {step: made[-1] for step, made in rows.items()}:
        found.append("steps of other rows")
    if strays := [path.name for path in harmed.rglob("*.tmp")]:
        found.append(f"left behind: {strays}")
    return found


def _points(place: Path) -> list[Any]:
    points = map(json.loads, (place / "artifacts/metrics.jsonl").read_text().splitlines())
    return [(point["name"], point["step"], point["value"]) for point in points if point["name"] not in MEASURED]


def _rows(place: Path) -> dict[int, list[Any]]:
    """Of each step, the rows that each attempt made it of."""
    rows: dict[int, list[Any]] = {}
    for line in (place / "order.jsonl").read_text().splitlines():
        step, batches = json.loads(line)
        rows.setdefault(step, []).append(batches)
    return rows
