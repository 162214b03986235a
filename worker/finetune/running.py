"""The training stage of a run: adapter on, the loop, and held-out losses on the way."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worker.finetune import checkpoint, compiling, fused_lora, offer, products, recomputation
from worker.finetune.adapter import attach
from worker.finetune.artifacts import Curves
from worker.finetune.batches import pad
from worker.finetune.errors import Diverged
from worker.finetune.evaluation import Measurement, finite, perplexity
from worker.finetune.learner import Learner
from worker.finetune.likelihood import likelihood
from worker.finetune.memory import MemoryUse, measured
from worker.finetune.plan import make_plan
from worker.finetune.preparing import Prepared
from worker.finetune.reporter import Reporter
from worker.finetune.tokens import Example
from worker.finetune.training import Points, Training, train
from worker.finetune.unread import look_every


@dataclass
class Clock:
    """Seconds spent evaluating, before, in and after training."""

    evaluation: float = field(default=0.0)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.evaluation += time.monotonic() - began


@dataclass(frozen=True)
class Told:
    """Points on their way: first into the file, then to whoever listens."""

    curves: Curves
    reporter: Reporter

    def __call__(self, step: int, epoch: float, time: float, values: Mapping[str, float | None]) -> None:
        self.curves.add(step, epoch, time, values)
        self.reporter.points(step, epoch, time, values)

    def sync(self) -> int:
        return self.curves.sync()


def train_adapter(
    job: Prepared,
    base: Measurement,
    *,
    output_dir: Path,
    resume: bool,
    batch_divisor: int = 1,
    clock: Clock,
    reporter: Reporter,
) -> Training:
    """Attach a fresh adapter to the base and train it; curves begin with the base's own measurement, at step 0.

    Where it diverges, the adapter of its last checkpoint becomes an artifact, and the error says so.
    """
    model = _adapted(job)
    folder = output_dir / "checkpoints"
    state = _checkpoint(folder, job, reporter) if resume else None
    if state is None:
        checkpoint.discard(folder)
    curves = Curves(output_dir / "metrics.jsonl", keep=state["points"] if state else 0)
    points = Told(curves, reporter)
    with curves.kept_open(), measured(model.device) as memory:
        run = _training(job, model, folder, points, memory, clock, reporter, batch_divisor)
        job.paths.note(_ways(job, run), reporter)
        if state is not None:
            run.restore(state)
            reporter.log(f"Continuing after step {run.done.step} of {run.plan.total_steps}")
        else:
            points(0, 0.0, 0.0, base.series)
        try:
            train(run)
        except Diverged as error:
            raise offer.last_checkpoint(run, output_dir, error) from error
    return run


def _adapted(job: Prepared) -> Any:
    base = products.quickened(job.base.model) if job.config.lora.fused else job.base.model
    model = attach(base, job.config)
    few = pad(sorted(job.train, key=len)[:3], job.decoding.pad_id)
    job.paths.said.update(compiling.switch_on(model, job.config.training, few, job.base.dtype))
    if job.recompute:
        recomputation.switch_on(model)
    return model


def _training(
    job: Prepared,
    model: Any,
    folder: Path,
    points: Points,
    memory: MemoryUse,
    clock: Clock,
    reporter: Reporter,
    batch_divisor: int,
) -> Training:
    training = job.config.training
    plan = make_plan([len(example) for example in job.train], training)
    return Training(
        learner=Learner(model, training, job.base.dtype, plan.total_steps, job.paths),
        examples=job.train,
        plan=plan,
        config=training,
        pad_id=job.decoding.pad_id,
        checkpoints=folder,
        identity=_identity(job),
        memory=memory,
        reporter=reporter,
        points=points,
        evaluate=lambda current: _evaluate(current, job, clock),
        divisor=batch_divisor,
    )


def _ways(job: Prepared, run: Training) -> dict[str, str]:
    """How this training computes, beside what was chosen before it."""
    optimizer = run.learner.optimizer
    every = look_every(run.config.logging_steps, run.learner.device)
    return {
        **fused_lora.paths(run.learner.model),
        "optimizer": type(optimizer).__name__ + (", fused" if optimizer.defaults.get("fused") else ""),
        "logging": "looked at each step" if every == 1 else f"looked at every {every} steps",
        "recomputation": "computed again in the backward pass" if job.recompute else "kept",
    }


def _checkpoint(folder: Path, job: Prepared, reporter: Reporter) -> dict[str, Any] | None:
    """What to go on from, and a word beside the results for each checkpoint that could not be."""
    found = checkpoint.recover(folder)
    if found is None:
        return None
    after = "from zero, because none is whole" if found.state is None else f"after step {found.step}, from the last one"
    for damage in found.damaged:
        reporter.warn(f"The checkpoint of step {damage.step} was damaged ({damage.reason}). Training went on {after}.")
    checkpoint.clear(folder, found.damaged)
    if found.state is not None and found.state.get("identity") != _identity(job):
        reporter.warn("The checkpoint was made with other settings, rows or weights: training started from zero.")
        return None
    return found.state


def _identity(job: Prepared) -> str:
    """What two attempts must have in common for one to go on from the other's checkpoint. How many passes a step is
    cut into is not in it."""
    return json.dumps([checkpoint.FORMAT, job.config.model_dump(mode="json"), job.hashes], sort_keys=True)


def _evaluate(run: Training, job: Prepared, clock: Clock) -> float | None:
    """Losses in mid-training. At the end the held-out rows wait for the whole measurement."""
    values: dict[str, float | None] = {}
    with clock.evaluating():
        if run.done.step < run.plan.total_steps:
            loss = _loss(run, job, job.held_out.examples)
            values |= {"eval/loss": finite(loss), "eval/perplexity": finite(perplexity(loss))}
        chosen_by = _loss(run, job, job.validation) if job.validation else None
    if chosen_by is not None:
        values["validation/loss"] = finite(chosen_by)
    if values:
        run.points(run.done.step, run.epoch, run.done.seconds, values)
    return chosen_by


def _loss(run: Training, job: Prepared, examples: list[Example]) -> float:
    model, dtype = run.learner.model, job.base.dtype
    return likelihood(
        model, examples, pad_id=job.decoding.pad_id, dtype=dtype, reporter=run.reporter, paths=run.learner.paths
    ).loss
