"""This program as a side of the benchmark: the functions that a run goes through, one after another."""

import tempfile
from pathlib import Path
from typing import Any

from worker import libraries

libraries.prepare()

import torch  # noqa: E402

from benchmarks._asking import Json, answer, timed  # noqa: E402
from benchmarks._our_rows import made_ready, rows  # noqa: E402
from worker.finetune import scoring, writers  # noqa: E402, F401 - scoring: its import is no part of an evaluation
from worker.finetune.evaluation import Measurement, measure  # noqa: E402
from worker.finetune.likelihood import likelihood  # noqa: E402
from worker.finetune.preparing import Prepared  # noqa: E402
from worker.finetune.reporter import Silent  # noqa: E402
from worker.finetune.running import Clock, train_adapter  # noqa: E402

kept: dict[str, Any] = {}


def prepared(*, config: Json, model: str, dataset: str) -> Json:
    """Seconds from a stored file to rows as tokens and a loaded, checked base."""
    found: Json = {}
    with timed(found):
        job = made_ready(config, model, dataset)
    return {**found, "rows": len(job.train)}


def train(*, config: Json, model: str, dataset: str) -> Json:
    """Seconds of the whole stage: the adapter's making, all checks of fast paths, rehearsal, steps, checkpoint."""
    job = made_ready(config, model, dataset)
    found: Json = {}
    with tempfile.TemporaryDirectory() as folder, timed(found):
        run = train_adapter(
            job, Measurement({}, []), output_dir=Path(folder), resume=False, clock=Clock(), reporter=Silent()
        )
    kept.update(job=job, model=run.learner.model)
    return {
        **found,
        "tokens": run.done.tokens,
        "loop_seconds": run.done.seconds,
        "threads": torch.get_num_threads(),
    }


def perplexity() -> Json:
    """Of what was trained last."""
    job: Prepared = kept["job"]
    found = likelihood(
        kept["model"], job.held_out.examples, pad_id=job.decoding.pad_id, dtype=job.base.dtype, reporter=Silent(),
        paths=job.paths,
    )  # fmt: skip
    return {"perplexity": torch.tensor(found.loss).exp().item()}


def evaluate() -> Json:
    """What was trained last, measured as at the end of a run."""
    job: Prepared = kept["job"]
    found: Json = {}
    with timed(found):
        writer = writers.tuned_writer(kept["model"], job.base.dtype, job.config.evaluation.generation)
        measured = measure(kept["model"], writer, job.held_out, job.decoding, job.tokenizer, Silent(), job.paths)
    return found | measured.metrics


if __name__ == "__main__":
    answer({"rows": rows, "prepared": prepared, "train": train, "perplexity": perplexity, "evaluate": evaluate})
