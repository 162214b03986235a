"""The training stage of a run: adapter on, the loop, and held-out losses on the way."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from worker.finetune import checkpoint, packing, recomputation
from worker.finetune.adapter import attach
from worker.finetune.artifacts import Curves
from worker.finetune.batches import make_plan
from worker.finetune.evaluation import Measurement, finite, perplexity
from worker.finetune.learner import Learner
from worker.finetune.likelihood import likelihood
from worker.finetune.memory import measured
from worker.finetune.preparing import Prepared
from worker.finetune.reporter import Reporter
from worker.finetune.tokens import Example
from worker.finetune.training import Training, train

Points = Callable[[int, float, float, Mapping[str, float | None]], None]


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


def train_adapter(
    job: Prepared, base: Measurement, *, output_dir: Path, resume: bool, clock: Clock, reporter: Reporter
) -> Training:
    """Attach a fresh adapter to the base and train it; curves begin with the base's own measurement, at step 0."""
    training = job.config.training
    plan = make_plan([len(example) for example in job.train], training)
    model = attach(job.base.model, job.config)
    if training.packing:
        packing.check_exact(model, job.train, job.decoding.pad_id, job.base.dtype)
    if job.recompute:
        recomputation.switch_on(model)
    folder = output_dir / "checkpoints"
    settings = job.config.model_dump_json()
    state = checkpoint.load_latest(folder) if resume else None
    if state is not None and state["settings"] != settings:
        reporter.log("The checkpoint was made with other settings: starting from zero.", "warning")
        state = None
    if state is None:
        checkpoint.discard(folder)
    learner = Learner(model, training, job.base.dtype, plan.total_steps)
    points = _points(output_dir, state["done"]["step"] if state else None, reporter)
    with measured(model.device) as memory:
        run = Training(
            learner=learner,
            examples=job.train,
            plan=plan,
            config=training,
            pad_id=job.decoding.pad_id,
            checkpoints=folder,
            settings=settings,
            memory=memory,
            reporter=reporter,
            points=points,
            evaluate=lambda current: _evaluate(current, job, clock),
        )
        if state is not None:
            run.restore(state)
            reporter.log(f"Continuing after step {run.done.step} of {plan.total_steps}")
        else:
            points(0, 0.0, 0.0, base.series)
        train(run)
    return run


def _points(output_dir: Path, keep_through: int | None, reporter: Reporter) -> Points:
    curves = Curves(output_dir / "metrics.jsonl", keep_through=keep_through)

    def points(step: int, epoch: float, time: float, values: Mapping[str, float | None]) -> None:
        curves.add(step, epoch, time, values)
        reporter.points(step, epoch, time, values)

    return points


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
    return likelihood(model, examples, pad_id=job.decoding.pad_id, dtype=dtype, reporter=run.reporter).loss
