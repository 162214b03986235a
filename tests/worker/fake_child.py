"""A stand-in for the training child: the same command line and protocol, no training, and faults to order.

Its plan lies in fake.json in the output folder; every part may be left out:
    steps, step_seconds, checkpoint_every   how long it is and how often it can resume
    prepare_seconds, evaluate_seconds       how long the stages around training take
    fault, at_step, times                   what goes wrong, before which step, in how many attempts (default: all)
    ignore_sigterm                          it must be killed
Faults: kill, term, segv, abort, hang, close, crash, nan, garbage, silent, fail:CODE, exit:N.

"Training" is a chain in which every loss follows from the one before: a resumed run ends with the numbers of one
that was never interrupted, or it went wrong. Every step's process id goes to pids.log, and that of every moment, steps
or not, to alive.log, to show that no two processes ever worked on one run at the same time.
"""

import argparse
import ctypes
import json
import os
import shutil
import signal
import sys
import time
import zipfile
from pathlib import Path
from types import FrameType
from typing import IO, Any

from app.processes import hold_lock
from worker import protocol
from worker.protocol import Exit

DEFAULTS: dict[str, Any] = {
    "steps": 6,
    "step_seconds": 0.02,
    "checkpoint_every": 2,
    "prepare_seconds": 0.0,
    "evaluate_seconds": 0.0,
    "fault": None,
    "at_step": 3,
    "times": None,
    "ignore_sigterm": False,
}
START = 42
PLAN_FILE = "fake.json"


def following(state: int) -> int:
    return (state * 1_103_515_245 + 12_345) % 2**31


def loss_of(state: int) -> float:
    return state / 2**31


def losses(steps: int) -> list[float]:
    """What a run of so many steps reports, interrupted or not."""
    state, found = START, []
    for _ in range(steps):
        state = following(state)
        found.append(loss_of(state))
    return found


class FakeChild:
    def __init__(self, options: argparse.Namespace) -> None:
        self.dir: Path = options.output_dir
        self.commit: str | None = options.model_commit
        self.batch_divisor: int = options.batch_divisor
        plan_file = self.dir / PLAN_FILE
        self.plan = DEFAULTS | (json.loads(plan_file.read_text()) if plan_file.exists() else {})
        self.pipe = os.fdopen(options.report_fd, "w", buffering=1) if options.report_fd else sys.stdout
        self.stopping = False
        self.step, self.state = self._resumed() if options.resume else (0, START)
        self._forget_points_after(self.step)
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        self.stopping = not self.plan["ignore_sigterm"]

    def say(self, event: protocol.Message) -> None:
        self.pipe.write(event.model_dump_json() + "\n")

    def run(self) -> int:
        self.say(protocol.Stage(name="preparing"))
        found = {"secrets": secrets(), "commit": self.commit, "batch_divisor": self.batch_divisor}
        self.say(protocol.Environment(values=found))
        self.rest(self.plan["prepare_seconds"])
        self.say(protocol.BaselineMeasured(key="base-key", metrics={"perplexity": 30.0, "bleu": 0.01}))
        self.say(protocol.Stage(name="training"))
        while self.step < self.plan["steps"] and not self.stopping:
            self.train_one()
        if not self.stopping:
            self.say(protocol.Stage(name="evaluating"))
            self.rest(self.plan["evaluate_seconds"])
        if self.stopping:
            self.save()
            return Exit.STOPPED
        return self.finish()

    def train_one(self) -> None:
        if self.plan["fault"] and self.step + 1 == self.plan["at_step"] and self._fault_is_left():
            self.fault(self.plan["fault"])
        self.step, self.state = self.step + 1, following(self.state)
        self.show_life()
        time.sleep(self.plan["step_seconds"])
        with (self.dir / "pids.log").open("a") as pids:
            pids.write(f"{os.getpid()} {self.step}\n")
        epoch, spent = self.step / self.plan["steps"], self.step * self.plan["step_seconds"]
        self.say(protocol.Progress(step=self.step, total_steps=self.plan["steps"], epoch=epoch, eta_seconds=1.0))
        values = {"train/loss": loss_of(self.state), "train/learning_rate": 1e-4}
        with (self.dir / "metrics.jsonl").open("a") as points:
            for name, value in values.items():
                point = {"name": name, "step": self.step, "epoch": epoch, "time": spent, "value": value}
                points.write(json.dumps(point) + "\n")
        self.say(protocol.Points(step=self.step, epoch=epoch, time=spent, values=values))
        if self.step % self.plan["checkpoint_every"] == 0:
            self.save()

    def rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.stopping:
            self.show_life()
            time.sleep(0.01)

    def show_life(self) -> None:
        with (self.dir / "alive.log").open("a") as alive:
            alive.write(f"{os.getpid()}\n")

    def fault(self, name: str) -> None:
        kind, _, detail = name.partition(":")
        signals = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "segv": signal.SIGSEGV, "abort": signal.SIGABRT}
        if kind in signals:
            os.kill(os.getpid(), signals[kind])
        elif kind == "hang":
            time.sleep(3600)
        elif kind == "close":
            self.pipe.close()
            time.sleep(0.5)
            os._exit(Exit.DONE)
        elif kind == "crash":
            raise RuntimeError("a traceback that belongs in output.log alone")
        elif kind == "nan":
            self.pipe.write('{"event":"points","step":2,"epoch":0,"time":0,"values":{"train/loss":NaN}}\n')
        elif kind == "garbage":
            self.pipe.write("half a line of {json\n" + "\x00\x01\n")
        elif kind == "silent":
            os._exit(Exit.DONE)
        elif kind == "fail":
            self.say(protocol.Failure(code=detail, title="Told to fail", detail="As planned.", hint="Change the plan."))
            os._exit(Exit.FAILED)
        elif kind == "exit":
            os._exit(int(detail))

    def _fault_is_left(self) -> bool:
        """Counts in a file, as every attempt is a new process."""
        counter = self.dir / "faults.log"
        happened = len(counter.read_text()) if counter.exists() else 0
        if self.plan["times"] is not None and happened >= self.plan["times"]:
            return False
        counter.write_text("x" * (happened + 1))
        return True

    def save(self) -> None:
        folder = self.dir / "checkpoints"
        folder.mkdir(exist_ok=True)
        (folder / "new").write_text(json.dumps([self.step, self.state]))
        for file in (self.dir / "metrics.jsonl", folder / "new"):
            if file.exists():
                to_disk(file)  # points first, as the real child: no checkpoint is ahead of them
        (folder / "new").replace(folder / "state.json")

    def _resumed(self) -> tuple[int, int]:
        saved = self.dir / "checkpoints" / "state.json"
        step, state = json.loads(saved.read_text()) if saved.exists() else (0, START)
        return step, state

    def _forget_points_after(self, step: int) -> None:
        """As the real one does: steps that are made again are not written twice."""
        path = self.dir / "metrics.jsonl"
        if path.exists():
            lines = path.read_text().splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
            path.write_text("".join(kept))

    def finish(self) -> int:
        self.say(protocol.Stage(name="saving"))
        folder = self.dir / "artifacts"
        folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(folder / "adapter.zip", "w") as adapter:
            adapter.writestr("adapter_config.json", json.dumps({"state": self.state}))
        for name in ("config.json", "metrics.jsonl"):
            shutil.copyfile(self.dir / name, folder / name)
        (folder / "predictions.jsonl").write_text(json.dumps(prediction(str(self.state))) + "\n")
        tuned = {"perplexity": 10 + loss_of(self.state), "bleu": 0.5, "rouge_l": 0.5, "loss": 2.3}
        base = {"perplexity": 30.0, "bleu": 0.01, "rouge_l": 0.1, "loss": 3.4}
        results = {
            "base": base,
            "finetuned": tuned,
            "improvement": {name: tuned[name] / base[name] - 1 for name in ("perplexity", "bleu", "rouge_l")},
            "eval_rows": 1,
            "eval_tokens": 10,
            "fingerprint": "f",
            "perplexity_key": "p",
            "baseline_key": "base-key",
        }
        self.say(protocol.Warn(message="This was not real training."))
        self.say(protocol.Result(results=results, resources={"device": "fake", "memory_kind": "rss"}))
        return Exit.DONE


def prediction(answer: str) -> dict[str, Any]:
    """A held-out row as pages show it."""
    scores = {"nll": 1.0, "tokens": 2, "rouge_l": 0.5, "bleu": [1, 0, 0, 0, 1, 0, 0, 0, 1, 1]}
    row = {"row": 0, "prompt": "Say the state.", "reference": "0", "base": "", "finetuned": answer}
    return row | {"scores": {"base": scores, "finetuned": scores}}


def to_disk(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def secrets() -> list[str]:
    """What the child can see of the values that tests hide from it."""
    return [name for name, value in os.environ.items() if value == "a secret"]


def tie_to_parent(parent: int) -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(Exit.ORPHANED)


def lock(path: Path) -> IO[str]:
    for _ in range(20):
        if held := hold_lock(path):
            return held
        time.sleep(0.1)
    os._exit(Exit.LOCKED)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    for name in ("--output-dir", "--dataset", "--model", "--lock", "--baselines-dir", "--cache-dir"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--model-commit")
    parser.add_argument("--dataset-sha256")
    parser.add_argument("--dataset-name")
    parser.add_argument("--report-fd", type=int)
    parser.add_argument("--parent-pid", type=int)
    parser.add_argument("--batch-divisor", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    if options.parent_pid:
        tie_to_parent(options.parent_pid)
    held = lock(options.lock) if options.lock else None
    code = FakeChild(options).run()
    del held
    return code


if __name__ == "__main__":
    sys.exit(main())
