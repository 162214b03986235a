"""Damage of every kind done to checkpoints: none of it is ever loaded, and the last good one is.

Most trials are of the checkpoints alone, milliseconds each. One in forty is a real run in a house: its child is killed
and the newest checkpoint damaged, and the page has to say so.
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.chaos import invariants
from tests.chaos.house import House
from tests.chaos.trial import Outcome, Seed, Trial
from tests.chaos.zygote import Zygote

FILES = ("tensors.safetensors", "state.json", "manifest.json")
HOUSE_EVERY = 40
KILLS = 5  # in one trial of a kill while saving
SHORT = {
    "data": {"max_length": 96},
    "training": {"max_steps": 24, "save_steps": 1, "learning_rate": 1e-3},
    "evaluation": {"max_eval_rows": 6, "max_new_tokens": 4},
}
Damage = Callable[[Path, Seed], str]


def truncated(path: Path, seed: Seed) -> str:
    size = seed.randrange(path.stat().st_size)
    os.truncate(path, size)
    return f"cut after {size} bytes"


def flipped(path: Path, seed: Seed) -> str:
    content = bytearray(path.read_bytes())
    places = sorted({seed.randrange(len(content)) for _ in range(seed.randint(1, 3))})
    for place in places:
        content[place] ^= 1 << seed.randrange(8)
    path.write_bytes(content)
    return f"bits flipped in bytes {places}"


def zeroed(path: Path, seed: Seed) -> str:
    """What a loss of power leaves of a file that was never synced."""
    begin = seed.randrange(path.stat().st_size)
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(b"\0" * min(4096, path.stat().st_size - begin))
    return f"zeros from byte {begin}"


def missing(path: Path, seed: Seed) -> str:
    path.unlink()
    return "missing"


def folder_instead(path: Path, seed: Seed) -> str:
    path.unlink()
    path.mkdir()
    return "a folder instead"


def link_instead(path: Path, seed: Seed) -> str:
    """To the very same bytes, or to nothing."""
    elsewhere = path.with_name("elsewhere")
    if seed.random() < 0.5:
        path.rename(elsewhere)
    else:
        path.unlink()
    path.symlink_to(elsewhere)
    return "a link instead"


def pipe_instead(path: Path, seed: Seed) -> str:
    path.unlink()
    os.mkfifo(path)
    return "a pipe instead"


def other_text(path: Path, seed: Seed) -> str:
    text = seed.choice(("", "{}", "[]", "null", "{", "7", '{"step": 1}', "NaN", "\x00" * 9, "[" * 5000))
    path.write_text(text)
    return f"now says {text[:12]!r}"


def of_another(path: Path, seed: Seed) -> str:
    """The same file of another checkpoint, whole in itself."""
    other = next(folder for folder in path.parent.parent.iterdir() if folder != path.parent)
    shutil.copyfile(other / path.name, path)
    return f"that of {other.name}"


def all_of_another(path: Path, seed: Seed) -> str:
    other = next(folder for folder in path.parent.parent.iterdir() if folder != path.parent)
    shutil.rmtree(path.parent)
    shutil.copytree(other, path.parent)
    return f"all of {other.name} under its name"


def manifest_of_fewer(path: Path, seed: Seed) -> str:
    """And the file that it does not list is changed."""
    manifest = path.with_name("manifest.json")
    told = json.loads(manifest.read_text())
    name = seed.choice(FILES[:2])
    del told["sha256"][name]
    manifest.write_text(json.dumps(told))
    flipped(path.with_name(name), seed)
    return f"its manifest no longer lists {name}"


def huge_header(path: Path, seed: Seed) -> str:
    """A length that no memory has, and a manifest that fits it."""
    tensors, manifest = path.with_name("tensors.safetensors"), path.with_name("manifest.json")
    tensors.write_bytes(seed.randrange(2**30, 2**63).to_bytes(8, "little") + tensors.read_bytes()[8:])
    told = json.loads(manifest.read_text())
    told["sha256"][tensors.name] = invariants.sha256(tensors)
    manifest.write_text(json.dumps(told))
    return "a huge header, rightly hashed"


DAMAGES: tuple[Damage, ...] = (
    truncated, flipped, zeroed, missing, folder_instead, link_instead, pipe_instead, other_text, of_another,
    all_of_another, manifest_of_fewer, huge_header,
)  # fmt: skip


@contextmanager
def opened(folder: Path) -> Iterator[Trial]:
    with ExitStack() as stack:
        opened_later: dict[str, Any] = {}

        def zygote() -> Zygote:
            if "zygote" not in opened_later:
                opened_later["zygote"] = stack.enter_context(Zygote(folder))
            return opened_later["zygote"]

        def house() -> House:
            if "house" not in opened_later:
                opened_later["house"] = stack.enter_context(House(folder))
                opened_later["whole"] = _undisturbed(opened_later["house"])
            return opened_later["house"]

        def trial(seed: Seed) -> Outcome:
            if seed.number % HOUSE_EVERY == HOUSE_EVERY // 2 - 1:
                return _in_a_run(house(), opened_later["whole"], seed)
            if seed.number % (len(DAMAGES) + 1) == len(DAMAGES):
                return _killed_while_saving(zygote(), folder / f"saves-{seed.number}", seed)
            return _on_disk(folder / f"trial-{seed.number}", seed)

        yield trial


def _on_disk(folder: Path, seed: Seed) -> Outcome:
    from tests.chaos.states import state
    from worker.finetune import checkpoint

    steps = sorted(seed.sample(range(1, 40), seed.randint(2, 4)))
    for step in steps:
        checkpoint.save(folder, step, state(step))
    victims = seed.choice(([steps[-1]], [steps[-1]], [steps[-1]], [steps[-2]], steps[-2:]))
    damage = DAMAGES[seed.number % (len(DAMAGES) + 1)]
    if damage in (of_another, all_of_another):
        victims = victims[-1:]  # two of each other would be whole again
    notes = [f"step {step}: {_damage(damage, folder, step, seed)}" for step in victims]
    violations = _held(folder, good=set(steps[-2:]) - set(victims), bad=set(victims), seed=seed)
    shutil.rmtree(folder)
    return Outcome(violations, None, "; ".join(notes))


def _damage(damage: Damage, folder: Path, step: int, seed: Seed) -> str:
    path = folder / f"step-{step:08d}" / seed.choice(FILES)
    return f"{path.name} {damage(path, seed)}"


def _held(folder: Path, *, good: set[int], bad: set[int], seed: Seed) -> list[str]:
    """The newest good one is loaded, bit for bit, the bad ones after it are named, and the next is saved beside it."""
    from tests.chaos.states import is_state, state
    from worker.finetune import checkpoint

    found, best = checkpoint.recover(folder), max(good, default=0)
    violations = []
    if found is None or (found.state is None) != (best == 0):
        violations.append(f"with {sorted(good)} whole and {sorted(bad)} damaged it found {found and found.step}")
    elif found.state is not None and (found.step != best or not is_state(found.state, best)):
        violations.append(f"loaded {found.step} and not what was saved at {best}")
    told = [damage.step for damage in found.damaged] if found else []
    if told != sorted((step for step in bad if step > best), reverse=True):
        violations.append(f"told of damage to {told}; damaged were {sorted(bad)}, the newest good one is {best}")
    checkpoint.clear(folder, found.damaged if found else ())
    after = best + seed.randint(1, 9)
    checkpoint.save(folder, after, state(after))
    left = {path.name for path in folder.iterdir()}
    if good and left != {f"step-{step:08d}" for step in (best, after)}:
        violations.append(f"after the next save at {after} there are {sorted(left)}")
    again = checkpoint.recover(folder)
    if again is None or again.damaged or not is_state(again.state, after):
        violations.append(f"the next save at {after} is not loaded")
    return violations


def _killed_while_saving(zygote: Zygote, folder: Path, seed: Seed) -> Outcome:
    outcomes = [_kill_one(zygote, folder, seed) for _ in range(KILLS)]
    return Outcome([v for violations, _ in outcomes for v in violations], None, "; ".join(note for _, note in outcomes))


def _kill_one(zygote: Zygote, folder: Path, seed: Seed) -> tuple[list[str], str]:
    """Somewhere in its first twenty saves, of which each takes some milliseconds."""
    from tests.chaos.states import is_state
    from worker.finetune import checkpoint

    folder.mkdir()
    pid, log, moment = zygote.start("save", str(folder)), folder / "saved.log", seed.uniform(0, 0.08)
    while not log.exists() or not log.stat().st_size:
        time.sleep(0.002)
    time.sleep(moment)
    os.kill(pid, signal.SIGKILL)
    zygote.wait(pid)
    told, left = int(log.read_text().split("\n")[-2]), sorted(path.name for path in (folder / "checkpoints").iterdir())
    found = checkpoint.recover(folder / "checkpoints")
    violations = []
    if found is None or found.damaged or found.step not in (told, told + 1) or not is_state(found.state, found.step):
        violations.append(f"{told} was saved last, found {found and (found.step, found.damaged)} of {left}")
    if strays := [path.name for path in (folder / "checkpoints").glob(".*")]:
        violations.append(f"left behind: {strays}")
    shutil.rmtree(folder)
    return violations, f"killed {moment * 1000:.0f} ms into saving, with {', '.join(left)} there"


def _undisturbed(house: House) -> list[float | None]:
    run_id = house.launch(SHORT, real=True)
    house.wait(run_id, lambda run: run["status"] == "completed", 120)
    return _losses(house, run_id)


def _losses(house: House, run_id: int) -> list[float | None]:
    (series,) = house.api("GET", f"/runs/{run_id}/metrics?name=train/loss").json()["series"]
    values: list[float | None] = series["values"]
    return values


def _in_a_run(house: House, whole: list[float | None], seed: Seed) -> Outcome:
    run_id, at = house.launch(SHORT, real=True), seed.randint(3, 20)
    folder = house.settings.run_dir(run_id) / "checkpoints"
    house.wait(run_id, lambda _: _newest(folder) >= at, 120)
    child = house.child()
    if child is None:
        return Outcome([], None, f"run {run_id} had ended before it could be harmed")
    child.kill()
    child.wait()
    killed, step = time.monotonic(), _newest(folder)
    note = _damage(seed.choice((truncated, flipped, zeroed, missing, other_text)), folder, step, seed)
    house.wait(run_id, lambda run: run["attempt"] > 1 and run["stage"] != "preparing", 120)  # or it is over already
    recovery = time.monotonic() - killed
    violations = [*house.wait_all(), *invariants.check(house)]
    run = house.run(run_id)
    log = house.api("GET", f"/runs/{run_id}/logs").text
    said = f"The checkpoint of step {step} was damaged"
    if run["status"] != "completed":
        violations.append(f"run {run_id} is {run['status']}: {run['error']}")
    elif _losses(house, run_id) != whole:
        violations.append(f"run {run_id} does not have the losses of an undisturbed one")
    if not any(said in warning for warning in run["warnings"]) or said not in log:
        violations.append(f"run {run_id} does not say that the checkpoint of step {step} was damaged")
    return Outcome(violations, recovery, f"real run {run_id}, killed with step {step} saved: {note}")


def _newest(folder: Path) -> int:
    return max((int(path.name.removeprefix("step-")) for path in folder.glob("step-*")), default=0)
