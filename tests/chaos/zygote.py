"""A process with the training's libraries loaded, which forks another one for each order: what is killed a thousand
times pays for its imports once.

with Zygote(folder) as zygote:
    pid = zygote.start("save", str(folder))
    os.kill(pid, signal.SIGKILL)
    zygote.wait(pid)
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

from app.processes import die_with

ROOT = Path(__file__).resolve().parents[2]


class Zygote:
    def __init__(self, folder: Path) -> None:
        """What its processes print goes to `zygote.log` in the folder."""
        with (folder / "zygote.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.zygote"],
                cwd=ROOT,
                env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                preexec_fn=partial(die_with, os.getpid()),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def start(self, do: str, *arguments: str) -> int:
        """The id of a new process that does what `DOES` has under the name."""
        return self._ask(do, *arguments)

    def wait(self, pid: int) -> int:
        """Its exit code, negative for a signal's number, once it has ended."""
        return self._ask("wait", str(pid))

    def _ask(self, *order: str) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def train(*arguments: str) -> int:
    """`python -m worker`, and beside it in order.jsonl each step's rows as they were looked up."""
    from worker import __main__ as program
    from worker.finetune.plan import Plan

    order = Path(arguments[arguments.index("--output-dir") + 1]) / "order.jsonl"
    looked_up = Plan.step

    def step(plan: Plan, number: int) -> list[list[int]]:
        rows = looked_up(plan, number)
        with order.open("a") as file:
            file.write(json.dumps([number + 1, rows]) + "\n")
        return rows

    Plan.step = step  # type: ignore[method-assign]
    return program.main(arguments)


def save(folder: str) -> int:
    """Checkpoints for ever, and in saved.log the step of each that is done."""
    from tests.chaos.states import state
    from worker.finetune import checkpoint

    step = 0
    while True:
        step += 1
        checkpoint.save(Path(folder) / "checkpoints", step, state(step))
        with (Path(folder) / "saved.log").open("a") as file:
            file.write(f"{step}\n")


DOES: dict[str, Callable[..., int]] = {"train": train, "save": save}


def main() -> None:
    import worker.finetune.pipeline
    import worker.finetune.scoring  # noqa: F401 - loaded before the first fork

    for line in sys.stdin:
        do, *arguments = json.loads(line)
        answer = _wait(int(arguments[0])) if do == "wait" else _fork(DOES[do], arguments)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _fork(does: Callable[..., Any], arguments: list[str]) -> int:
    parent = os.getpid()
    if pid := os.fork():
        return pid
    code = 1
    try:
        die_with(parent)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        code = does(*arguments)
    except Exception:  # noqa: BLE001 - what the interpreter would do at the end of a process of its own
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
