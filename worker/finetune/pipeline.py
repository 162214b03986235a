"""A run from its configuration to its results: preparing, baseline, training, evaluating, saving."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.run_config import RunConfig
from worker.finetune import artifacts, baseline, writers
from worker.finetune.adapter import adapter_state
from worker.finetune.environment import environment
from worker.finetune.errors import explained
from worker.finetune.evaluation import HeldOut, Measurement, measure
from worker.finetune.model_card import Card
from worker.finetune.preparing import Prepared, prepare
from worker.finetune.reporter import Reporter, check_stop
from worker.finetune.results import predictions, resources, results
from worker.finetune.running import Clock, train_adapter
from worker.finetune.training import Training
from worker.finetune.whole import whole_folder
from worker.finetune.writers import Writer


@dataclass(frozen=True)
class Outcome:
    """`results` and `resources` of the run, in the API's shape."""

    results: dict[str, Any]
    resources: dict[str, Any]


def finetune(
    config: RunConfig,
    *,
    model_path: Path,
    rows_path: Path,
    output_dir: Path,
    reporter: Reporter,
    baselines_dir: Path | None = None,
    cache_dir: Path | None = None,
    model_commit: str | None = None,
    dataset_sha256: str | None = None,
    dataset_name: str | None = None,
    resume: bool = False,
    batch_divisor: int = 1,
    count_threads: Callable[[], int] | None = None,
) -> Outcome:
    """Fine-tune the model in `model_path` on the rows in `rows_path`; everything is written below `output_dir`.

    Raises FinetuneError for what a person can mend, and Stopped when the reporter asked to stop. With `resume` the
    training goes on from its last whole checkpoint, to the same result. A `batch_divisor` cuts each batch into that
    many smaller ones: the same rows in each step, in less memory. In `cache_dir` rows are kept as tokens.
    `count_threads` is asked as late as can be, before the model is loaded, how many threads to compute with.
    """
    clock = Clock()
    reporter.stage("preparing")
    job = prepare(
        config,
        model_path=model_path,
        rows_path=rows_path,
        dataset_sha256=dataset_sha256,
        cache_dir=cache_dir,
        count_threads=count_threads,
        reporter=reporter,
    )
    used = environment(job, model_commit, batch_divisor)
    reporter.environment(used)
    reporter.stage("baseline")
    base = _measure_base(job, baselines_dir or output_dir / "baselines", clock, reporter)
    baseline_seconds = clock.evaluation
    job.paths.note({"base": "measured" if baseline_seconds else "known already"}, reporter)
    reporter.stage("training")
    run = train_adapter(
        job,
        base.measurement,
        output_dir=output_dir,
        resume=resume,
        batch_divisor=batch_divisor,
        clock=clock,
        reporter=reporter,
    )
    reporter.stage("evaluating")
    tuned = _measure_tuned(job, run, clock, reporter)
    reporter.stage("saving")
    check_stop(reporter)
    outcome = Outcome(results(job, base, tuned), resources(job, run, clock, baseline_seconds))
    card = Card(config, outcome.results, used, len(job.train), dataset_name or f"data set {config.data.dataset}").text()
    _save(output_dir, job, run, list(predictions(job, base.measurement, tuned)), used, card)
    return outcome


def _measure_base(job: Prepared, folder: Path, clock: Clock, reporter: Reporter) -> baseline.Baseline:
    """The stored measurement of this very base on these very rows, or a new one."""
    with explained("measuring the base model"), baseline.turn(folder, job.keys.baseline_key, reporter):
        return _known_or_new(job, folder, clock, reporter)


def _known_or_new(job: Prepared, folder: Path, clock: Clock, reporter: Reporter) -> baseline.Baseline:
    key = job.keys.baseline_key
    if stored := baseline.load(folder, key):
        reporter.log("The base model's measurement is known already.")
        reporter.baseline(key, stored.measurement.metrics)
        return stored
    model = job.base.model
    with clock.evaluating():
        writer = writers.base_writer(model, job.base.dtype, job.config.evaluation.generation)
        measured = _measure(job, model, writer, job.held_out, reporter)
        in_plain = _measure(job, model, writer, job.plain_held_out, reporter) if job.plain_held_out else None
    base = baseline.Baseline(measured, in_plain.metrics if in_plain else None)
    baseline.store(folder, key, base)
    reporter.baseline(key, measured.metrics)
    return base


def _measure_tuned(job: Prepared, run: Training, clock: Clock, reporter: Reporter) -> Measurement:
    model = run.learner.model
    with clock.evaluating(), explained("evaluating the fine-tuned model"):
        writer = writers.tuned_writer(model, job.base.dtype, job.config.evaluation.generation)
        tuned = _measure(job, model, writer, job.held_out, reporter)
    with explained("writing the curves"):
        run.points(run.done.step, run.epoch, run.done.seconds, tuned.series)
    return tuned


def _measure(job: Prepared, model: Any, writer: Writer, rows: HeldOut, reporter: Reporter) -> Measurement:
    job.paths.note({"generation": writer.path}, reporter)
    measured = measure(model, writer, rows, job.decoding, job.tokenizer, reporter, job.paths)
    if measured.metrics["perplexity"] is None:
        reporter.warn("A perplexity was not measured: the loss of the held-out rows is no finite number.")
    return measured


def _save(
    output_dir: Path,
    job: Prepared,
    run: Training,
    predictions: list[dict[str, Any]],
    environment: dict[str, Any],
    card: str,
) -> None:
    model = run.learner.model
    with explained("saving the artifacts"), whole_folder(output_dir / "artifacts") as folder:
        artifacts.write_adapter(folder / "adapter.zip", model, adapter_state(model), card)
        (folder / artifacts.CARD).write_text(card, encoding="utf-8")
        artifacts.write_json(folder / "config.json", job.config.model_dump(mode="json"))
        artifacts.write_json(folder / "environment.json", environment)
        artifacts.write_lines(folder / "predictions.jsonl", predictions)
        (folder / "metrics.jsonl").write_bytes((output_dir / "metrics.jsonl").read_bytes())
        artifacts.write_manifest(folder)
