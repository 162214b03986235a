"""What a run has to show: `results` and `resources` in the API's shape, and its predictions."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from app.metrics import COMPARED, relative_change
from app.statistics import paired
from app.statistics.significance import Interval
from worker.finetune.baseline import Baseline
from worker.finetune.batches import row_lengths
from worker.finetune.device import device_name
from worker.finetune.evaluation import Measurement, RowResult
from worker.finetune.preparing import Prepared
from worker.finetune.running import Clock
from worker.finetune.training import Training


def results(job: Prepared, base: Baseline, tuned: Measurement) -> dict[str, Any]:
    before, after = base.measurement.metrics, tuned.metrics
    return {
        "base": before,
        "finetuned": after,
        "improvement": {m.short: relative_change(before[m.short], after[m.short]) for m in COMPARED},
        "intervals": _intervals(base.measurement, tuned),
        "base_plain": base.plain,
        "eval_rows": len(job.held_out.examples),
        "eval_tokens": sum(row.tokens for row in tuned.rows),
        "shortened_prompts": job.shortened,
        "cut_responses": job.cut,
        "fingerprint": job.keys.fingerprint,
        "perplexity_key": job.keys.perplexity_key,
        "baseline_key": job.keys.baseline_key,
    }


def _intervals(base: Measurement, tuned: Measurement) -> dict[str, Interval | None]:
    """95 % intervals of the improvements; None where the base has no score to improve on."""
    found = paired.differences(side(base.rows), side(tuned.rows))
    return {m.short: found[m.short].relative if m.short in found else None for m in COMPARED}


def side(rows: Sequence[RowResult]) -> paired.Side:
    """What one model did with the rows, as intervals are computed from it."""
    return paired.Side(
        nll=[math.nan if row.nll is None else row.nll for row in rows],
        tokens=[row.tokens for row in rows],
        rouge_l=[row.rouge_l for row in rows],
        bleu=[row.bleu for row in rows],
    )


def resources(job: Prepared, run: Training, clock: Clock, baseline_seconds: float) -> dict[str, Any]:
    """Seconds are of training alone unless they say otherwise; what was not measured is None."""
    done, memory = run.done, run.memory
    rows = row_lengths(job.train)
    trainable, total = run.learner.model.get_nb_trainable_parameters()
    return {
        "device": device_name(run.learner.device),
        "memory_kind": memory.kind,
        "peak_memory_bytes": memory.peak or None,
        "mean_memory_bytes": memory.mean,
        "device_peak_memory_bytes": memory.device_peak or None,
        "train_seconds": done.seconds,
        "seconds_per_epoch": done.seconds / run.epoch,
        "epoch_seconds": done.epoch_seconds,
        "seconds_per_1000_rows": done.seconds / len(job.train) * 1000,
        "seconds_per_1000_examples": done.seconds / done.rows * 1000,
        "evaluation_seconds": clock.evaluation,
        "baseline_seconds": baseline_seconds,  # of these, for the base: next to nothing where it was known
        "tokens_per_second": done.tokens / done.seconds,
        "trainable_parameters": trainable,
        "total_parameters": total,
        "effective_batch_size": run.config.effective_batch_size or round(done.rows / done.step),
        "steps": done.step,
        "train_rows": len(job.train),
        "longest_row_tokens": rows.longest,
        "row_tokens": {"quantiles": rows.quantiles, "scored": rows.scored},  # for later forecasts
    }


def predictions(job: Prepared, base: Measurement, tuned: Measurement) -> Iterator[dict[str, Any]]:
    """A line a held-out row. `prompt` is what the model was given, the token lists what perplexity scored."""
    held_out = job.held_out
    parts = zip(held_out.examples, held_out.questions, held_out.references, base.rows, tuned.rows, strict=True)
    for example, question, reference, before, after in parts:
        yield {
            "row": example.row,
            "prompt": job.tokenizer.decode(question, skip_special_tokens=False),
            "reference": reference,
            "base": before.answer,
            "finetuned": after.answer,
            "prompt_tokens": example.prompt_ids.tolist(),
            "reference_tokens": example.answer_ids.tolist(),
            "scores": {"base": _scores(before), "finetuned": _scores(after)},
        }


def row_result(prediction: dict[str, Any]) -> RowResult:
    """The fine-tuned model's part of a line of `predictions`, read back."""
    return RowResult(prediction["row"], prediction["finetuned"], **prediction["scores"]["finetuned"])


def _scores(row: RowResult) -> dict[str, Any]:
    return {"nll": row.nll, "tokens": row.tokens, "rouge_l": row.rouge_l, "bleu": row.bleu, "ended": row.ended}
