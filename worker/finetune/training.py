"""The training loop: our own, over transformers' optimizers and schedules.

The order of rows is a pure function of the settings (batches.Plan), so the number of steps done is the whole position
of a training: a checkpoint that holds it continues exactly where it was.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from app.run_config import TrainingConfig
from worker.finetune import checkpoint
from worker.finetune.adapter import Tensors, adapter_state, restore_adapter
from worker.finetune.batches import Batch, Plan, pack, pad
from worker.finetune.errors import Stopped, explained
from worker.finetune.learner import Learner, Step
from worker.finetune.memory import MemoryUse, used_bytes
from worker.finetune.reporter import Reporter
from worker.finetune.tokens import Example

CHECKPOINT_SECONDS = 60.0


@dataclass
class Done:
    """What a training has behind it; all of it survives in a checkpoint."""

    step: int = 0
    seconds: float = 0.0  # of training alone: no evaluation, no checkpoint
    tokens: int = 0  # prompt and response, no padding
    rows: int = 0
    epoch_seconds: list[float] = field(default_factory=list)
    best_loss: float | None = None
    best_step: int = 0
    waited: int = 0  # evaluations since the best
    stopped_early: bool = False


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
    settings: str  # of the whole run: a checkpoint of others is none of ours
    memory: MemoryUse
    reporter: Reporter
    points: Callable[[int, float, float, Mapping[str, float | None]], None]
    evaluate: Callable[["Training"], float | None]
    done: Done = field(default_factory=Done)
    best: Tensors | None = None

    @property
    def finished(self) -> bool:
        return self.done.stopped_early or self.done.step >= self.plan.total_steps

    @property
    def epoch(self) -> float:
        return self.plan.epoch(self.done.step)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`, which `save` wrote under the same settings."""
        self.learner.restore(state["learner"])
        self.done = Done(**state["done"])
        self.best = state["best"]
        self.memory.restore(state["memory"])

    def save(self) -> None:
        state = {
            "learner": self.learner.state(),
            "done": asdict(self.done),
            "best": self.best,
            "memory": self.memory.state(),
            "settings": self.settings,
        }
        checkpoint.save(self.checkpoints, self.done.step, state)


def train(run: Training) -> None:
    """Train to the end, or until somebody asks to stop (Stopped, with a checkpoint of the last whole step)."""
    saved = time.monotonic()
    while not run.finished:
        try:
            with explained("training"):
                _one_step(run)
                if _evaluation_due(run):
                    _choose(run, run.evaluate(run))
        except Stopped:
            run.save()
            raise
        epoch_ends = run.done.step % run.plan.steps_per_epoch == 0
        if run.finished or epoch_ends or time.monotonic() - saved > CHECKPOINT_SECONDS:
            run.save()
            saved = time.monotonic()
    if run.config.load_best_model_at_end and run.best is not None:
        run.reporter.log(f"Keeping the adapter of step {run.done.best_step}: the best validation loss.")
        restore_adapter(run.learner.model, run.best)


def _one_step(run: Training) -> None:
    began = time.monotonic()
    rows = [[run.examples[i] for i in batch] for batch in run.plan.step(run.done.step)]
    seen = run.learner.step([_join(batch, run) for batch in rows], run.reporter)
    seconds = time.monotonic() - began
    tokens = sum(len(example) for batch in rows for example in batch)
    done = run.done
    done.step += 1
    done.seconds += seconds
    done.tokens += tokens
    done.rows += sum(map(len, rows))
    if done.step % run.plan.steps_per_epoch == 0:
        done.epoch_seconds.append(done.seconds - sum(done.epoch_seconds))
    _report(run, seen, tokens / seconds)


def _join(examples: Sequence[Example], run: Training) -> Batch:
    return pack(examples) if run.config.packing else pad(examples, run.pad_id)


def _report(run: Training, seen: Step, tokens_per_second: float) -> None:
    done, total = run.done, run.plan.total_steps
    values = {
        "train/loss": seen.loss,
        "train/learning_rate": seen.learning_rate,
        "train/grad_norm": seen.grad_norm,
        "train/tokens_per_second": tokens_per_second,
        "system/memory": float(used_bytes(run.learner.device)),
    }
    run.points(done.step, run.epoch, done.seconds, values)
    run.reporter.progress(done.step, total, run.epoch, done.seconds / done.step * (total - done.step))


def _evaluation_due(run: Training) -> bool:
    """Every `eval_steps`, or once an epoch; always at the end, which may be the best."""
    every = run.config.eval_steps or run.plan.steps_per_epoch
    return run.done.step % every == 0 or run.done.step == run.plan.total_steps


def _choose(run: Training, validation_loss: float | None) -> None:
    """Remember the best adapter; stop early when nothing better came for long enough."""
    if validation_loss is None:
        return
    done, patience = run.done, run.config.early_stopping_patience
    if done.best_loss is None or validation_loss < done.best_loss:
        done.best_loss, done.best_step, done.waited = validation_loss, done.step, 0
        if run.config.load_best_model_at_end:
            run.best = adapter_state(run.learner.model)
        return
    done.waited += 1
    if patience is not None and done.waited >= patience:
        done.stopped_early = True
        run.reporter.log(f"Stopping early: no better validation loss in {patience} evaluations.")
