"""The rows of a run as this program reads them, left as tokens for the other sides: all train on the very same."""

import json
from pathlib import Path

from app.run_config import RunConfig
from benchmarks._asking import Json
from worker.finetune.batches import IGNORED
from worker.finetune.preparing import Prepared, prepare
from worker.finetune.reporter import Silent
from worker.finetune.tokens import Example


def rows(*, config: Json, model: str, dataset: str, to: str) -> Json:
    """Leave them in `to`; the answer names the layers that have no right quantised form on this machine."""
    job = made_ready(config, model, dataset)
    data = {
        "train": list(map(_row, job.train)),
        "held_out": list(map(_row, job.held_out.examples)),
        "questions": [list(question) for question in job.held_out.questions],
        "references": job.held_out.references,
        "pairs": [_pair(example, job) for example in job.train],
    }
    Path(to).write_text(json.dumps(data))
    return {"whole": list(job.base.skipped_modules)}


def _row(example: Example) -> Json:
    ids = list(example.ids)
    labels = [i if counts else IGNORED for i, counts in zip(ids, example.counted, strict=True)]
    return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": labels}


def _pair(example: Example, job: Prepared) -> Json:
    """The same as text, for who has a tokenizer's way of its own."""
    prompt, response = (
        job.tokenizer.decode(ids, skip_special_tokens=True) for ids in (example.prompt_ids, example.answer_ids)
    )
    return {"instruction": prompt, "input": "", "output": response}


def made_ready(config: Json, model: str, dataset: str) -> Prepared:
    return prepare(
        RunConfig.model_validate(config),
        model_path=Path(model),
        rows_path=Path(dataset),
        dataset_sha256="0",
        reporter=Silent(),
    )
