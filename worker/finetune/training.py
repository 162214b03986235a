"""The training loop: our own, over transformers' optimizers and schedules.

The order of rows is a pure function of the settings (plan.Plan), so the number of steps done is the whole position
of a training: a checkpoint that holds it continues exactly where it was.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from app.config_sections import TrainingConfig
from worker.finetune import checkpoint
from worker.finetune.adapter import Tensors, adapter_state, restore_adapter
from worker.finetune.batches import Batch
from worker.finetune.errors import Diverged, FinetuneError, Stopped, explained
from worker.finetune.evaluation import finite
from worker.finetune.learner import Learner
from worker.finetune.likelihood import join
from worker.finetune.memory import MemoryUse
from worker.finetune.plan import Plan, split
from worker.finetune.reporter import Reporter
from worker.finetune.tokens import Example
from worker.finetune.unread import Read, Taken, Unread, look_every

CHECKPOINT_SECONDS = 60.0


@dataclass
class Done:
    """What a training has behind it; all of it survives in a checkpoint."""

    step: int = 0
    seconds: float = 0.0  # of training alone: no evaluation, no checkpoint
    tokens: int = 0  # prompt and response, no padding
    rows: int = 0
    epoch_seconds: list[float] = field(default_factory=list)
    evaluated: int = 0  # the step after which the last evaluation was
    best_loss: float | None = None
    best_step: int = 0
    waited: int = 0  # evaluations since the best
    stopped_early: bool = False


class Points(Protocol):
    """Where the points of curves go."""

    def __call__(self, step: int, epoch: float, time: float, values: Mapping[str, float | None]) -> None: ...

    def sync(self) -> int:
        """Have them on disk; answers a position that a checkpoint holds, to go on from there."""


@dataclass
class Training:
    """What the loop works on. `evaluate` reports held-out losses as points and returns the loss of the validation
    rows, the only one that may choose anything (None where there are none)."""

    learner: Learner
    examples: Sequence[Example]
    plan: Plan
    config: TrainingConfig
    pad_id: int
    checkpoints: Path
    identity: str  # of the whole run: a checkpoint of another is none of ours
    memory: MemoryUse
    reporter: Reporter
    points: Points
    evaluate: Callable[["Training"], float | None]
    divisor: int = 1  # of each batch: smaller ones, and as many more of them in a step
    done: Done = field(default_factory=Done)
    unread: Unread = field(default_factory=Unread)
    best: Tensors | None = None
    saved: tuple[int, int] | None = None  # step and evaluation of the last checkpoint

    @property
    def finished(self) -> bool:
        return self.done.stopped_early or self.done.step >= self.plan.total_steps

    @property
    def epoch(self) -> float:
        return self.plan.epoch(self.done.step)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`, which `save` wrote for the same run."""
        self.learner.restore(state["learner"])
        self.done = Done(**state["done"])
        self.best = state["best"]
        self.memory.restore(state["memory"])
        self.saved = self._position

    def save(self) -> None:
        """Raises Diverged for weights that are no numbers: they are worth nothing, and would push out what is."""
        look(self)
        if self.saved == self._position:
            return
        if not self.learner.is_finite():
            raise diverged(f"After step {self.done.step} weights of the adapter were no finite numbers.")
        state = {
            "learner": self.learner.state(),
            "done": asdict(self.done),
            "best": self.best,
            "memory": self.memory.state(),
            "identity": self.identity,
            "points": self.points.sync(),
        }
        checkpoint.save(self.checkpoints, self.done.step, state)
        self.saved = self._position

    @property
    def _position(self) -> tuple[int, int]:
        return self.done.step, self.done.evaluated


def diverged(what: str) -> Diverged:
    hint = "Lower training.learning_rate, lengthen warmup_steps, or use a max_grad_norm of 1 or less."
    return Diverged("nan_loss", "Training diverged", what, hint)


def train(run: Training) -> None:
    """Train to the end, or until somebody asks to stop (Stopped, with a checkpoint of the last whole step)."""
    _rehearse(run)
    saved = time.monotonic()
    while True:
        try:
            with explained("training"):
                if _evaluation_due(run):
                    look(run)
                    _choose(run, run.evaluate(run))
                if _save_due(run, time.monotonic() - saved):
                    run.save()
                    saved = time.monotonic()
                if run.finished:
                    break
                _one_step(run)
        except Stopped:
            _keep(run)
            raise
    if run.config.load_best_model_at_end and run.best is not None:
        run.reporter.log(f"Keeping the adapter of step {run.done.best_step}: the best validation loss.")
        restore_adapter(run.learner.model, run.best)


def _rehearse(run: Training) -> None:
    """Forward and backward over the largest batch there will be: what does not fit fails now, not hours later. Where it
    belongs to the first step, that one tries it."""
    largest = run.plan.largest(packed=run.learner.paths.packed)
    if run.finished or (run.done.step == 0 and largest in run.plan.step(0)):
        return
    rows = [[run.examples[i] for i in part] for part in split(largest, run.divisor)]
    longest = max(len(example) for batch in rows for example in batch)
    with explained(f"trying the largest batch ({len(rows[0])} rows of up to {longest} tokens), before the first step"):
        run.learner.rehearse([_join(batch, run) for batch in rows[:1]], run.reporter)
    run.reporter.log(f"The largest batch, {len(rows[0])} rows of up to {longest} tokens, fits into memory.")


def _keep(run: Training) -> None:
    """A checkpoint on the way out. Where it fails, the run still ends as it was asked to, and has the one before."""
    try:
        run.save()
    except FinetuneError as error:
        run.reporter.log(f"No checkpoint was saved on the way out. {error}", "warning")


def _one_step(run: Training) -> None:
    batches = [part for batch in run.plan.step(run.done.step) for part in split(batch, run.divisor)]
    rows = [[run.examples[i] for i in batch] for batch in batches]
    run.unread.begin()
    step = run.learner.step([_join(batch, run) for batch in rows], run.reporter)
    run.done.step += 1
    tokens = sum(len(example) for batch in rows for example in batch)
    run.unread.taken.append(Taken(run.done.step, step, tokens, sum(map(len, rows)), run.memory.latest))
    if len(run.unread.taken) >= look_every(run.config.logging_steps, run.learner.device):
        look(run)


def look(run: Training) -> None:
    """At the steps since the last look: a point for each, and the end at the first that has no numbers."""
    done, total = run.done, run.plan.total_steps
    for read in run.unread.read():
        if not run.learner.is_usable(read.loss, read.grad_norm):
            _end_at(run, read)
        done.seconds += read.seconds
        done.tokens += read.taken.tokens
        done.rows += read.taken.rows
        if read.taken.number % run.plan.steps_per_epoch == 0:
            done.epoch_seconds.append(done.seconds - sum(done.epoch_seconds))
        _report(run, read)
        seen = read.taken.number
        if seen == done.step:
            run.reporter.progress(seen, total, run.epoch, done.seconds / seen * (total - seen))


def _end_at(run: Training, read: Read) -> None:
    """Curves end with a gap at the step that has no numbers."""
    step = read.taken.number
    values = {"train/loss": finite(read.loss), "train/grad_norm": finite(read.grad_norm)}
    run.points(step, run.plan.epoch(step), run.done.seconds, values)
    raise diverged(f"The loss of step {step} was {read.loss:.4g} and its gradient norm {read.grad_norm:.4g}.")


def _join(examples: Sequence[Example], run: Training) -> Batch:
    return join(examples, run.pad_id, run.learner.paths)


def _report(run: Training, read: Read) -> None:
    taken = read.taken
    values = {
        "train/loss": read.loss,
        "train/learning_rate": taken.step.learning_rate,
        "train/grad_norm": finite(read.grad_norm),  # infinite where a step of float16 was skipped
        "train/tokens_per_second": taken.tokens / read.seconds,
        "system/memory": float(taken.memory),
    }
    run.points(taken.number, run.plan.epoch(taken.number), run.done.seconds, values)


def _evaluation_due(run: Training) -> bool:
    """Every `eval_steps`, or once an epoch; always at the end, which may be the best. Each once, also after a stop."""
    step, every = run.done.step, run.config.eval_steps or run.plan.steps_per_epoch
    return step > run.done.evaluated and (step % every == 0 or step == run.plan.total_steps)


def _save_due(run: Training, seconds: float) -> bool:
    """Every `save_steps` where it is set, every minute, at the end of an epoch and at the end."""
    step, plan = run.done.step, run.plan
    by_step = step > 0 and any(step % n == 0 for n in (plan.steps_per_epoch, run.config.save_steps or plan.total_steps))
    return run.finished or by_step or seconds > CHECKPOINT_SECONDS


def _choose(run: Training, validation_loss: float | None) -> None:
    """Remember the best adapter; stop early when nothing better came for long enough."""
    done, patience = run.done, run.config.early_stopping_patience
    done.evaluated = done.step
    if validation_loss is None:
        return
    if math.isfinite(validation_loss) and (done.best_loss is None or validation_loss < done.best_loss):
        done.best_loss, done.best_step, done.waited = validation_loss, done.step, 0
        if run.config.load_best_model_at_end:
            run.best = adapter_state(run.learner.model)
        return
    done.waited += 1
    if patience is not None and done.waited >= patience:
        done.stopped_early = True
        run.reporter.log(f"Stopping early: no better validation loss in {patience} evaluations.")
