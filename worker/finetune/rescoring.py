"""A merged model measured like the run that it came from, on the same held-out rows, and how far the two differ."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.metrics import COMPARED
from app.run_config import RunConfig
from app.statistics import paired
from app.statistics.significance import Difference
from worker.finetune.evaluation import Metrics, measure
from worker.finetune.preparing import prepare
from worker.finetune.reporter import Reporter
from worker.finetune.results import row_result, side
from worker.finetune.writers import base_writer

Json = dict[str, Any]


def rescore(
    config: RunConfig,
    *,
    folder: Path,
    rows_path: Path,
    dataset_sha256: str | None,
    results: Json,
    predictions: Sequence[Json],
    reporter: Reporter,
) -> Json:
    """`{adapter, merged, changes, same_answers, rows}`: the metrics of both, and by metric `{absolute, interval}`,
    which is merged less adapter and where 95 % of it lies.

    `folder` holds the merged model, in its own type; `results` and `predictions` are the run's. Perplexity compares
    only in the same tokens: where tokenizer or template are not the run's any more, its change is None.
    """
    whole = config.model_copy(update={"quantization": config.quantization.model_copy(update={"method": "none"})})
    job = prepare(whole, model_path=folder, rows_path=rows_path, dataset_sha256=dataset_sha256, reporter=reporter)
    model = job.base.model
    writer = base_writer(model, job.base.dtype, config.evaluation.generation)
    merged = measure(model, writer, job.held_out, job.decoding, job.tokenizer, reporter)
    before = [row_result(line) for line in predictions]
    spread = paired.differences(side(before), side(merged.rows))
    unlike = set() if job.keys.perplexity_key == results["perplexity_key"] else {"perplexity"}
    return {
        "adapter": results["finetuned"],
        "merged": merged.metrics,
        "changes": _changes(results["finetuned"], merged.metrics, spread, without=unlike),
        "same_answers": sum(old.answer == new.answer for old, new in zip(before, merged.rows, strict=True)),
        "rows": len(before),
    }


def _changes(before: Metrics, after: Metrics, spread: dict[str, Difference], *, without: set[str]) -> Json:
    names = [metric.short for metric in COMPARED]
    return {name: None if name in without else _change(before[name], after[name], spread.get(name)) for name in names}


def _change(before: float | None, after: float | None, spread: Difference | None) -> Json | None:
    if before is None or after is None:
        return None
    return {"absolute": after - before, "interval": None if spread is None else list(spread.absolute)}
