"""A database as it looks after a day's work: a finished study, a run that trains, some that wait, some that went wrong.

The study's numbers are those of the reference study; curves, intervals and data sets are made up.
`python tests/browser/seed.py FOLDER` writes it, for looking at the pages by hand.
"""

import hashlib
import json
import math
import random
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlmodel import Session

from app import leases, migrate
from app.data import datasets
from app.data.dataset_request import ImportRequest
from app.db import connect, now
from app.models import Attempt, Baseline, Dataset, Experiment, MetricName, MetricPoint, Run, RunValue, Worker
from app.run_config import nest, parse
from app.settings import Settings
from app.status import RunStatus

GB = 1_000_000_000
FINGERPRINT, OTHER_FINGERPRINT = "7f3a9c51d2e8b604", "c41be0973fa25d18"

# name, settings that differ, perplexity, BLEU, ROUGE-L, minutes, GB, note
STUDY: tuple[tuple[str, dict[str, Any], float, float, float, int, float, str], ...] = (
    ("Baseline", {}, 18.7, 0.42, 0.51, 45, 4.2, "Initial configuration"),
    ("Exp 1", {"training.learning_rate": 1e-4}, 21.3, 0.38, 0.47, 45, 4.2, "Lower LR - worse performance"),
    ("Exp 2", {"training.learning_rate": 5e-4}, 19.5, 0.40, 0.49, 45, 4.2, "Higher LR - slight improvement"),
    (
        "Exp 3",
        {"training.per_device_train_batch_size": 2},
        20.1,
        0.39,
        0.48,
        60,
        3.5,
        "Smaller batch - slower convergence",
    ),
    ("Exp 4", {"lora.r": 4, "lora.lora_alpha": 8}, 22.5, 0.35, 0.44, 40, 3.8, "Lower rank - less capacity"),
    ("Exp 5", {"lora.r": 16, "lora.lora_alpha": 32}, 18.2, 0.43, 0.52, 50, 4.8, "Higher rank - best performance"),
    ("Exp 6", {"training.num_train_epochs": 5.0}, 17.8, 0.44, 0.53, 75, 4.2, "More epochs - best overall"),
)
VARIED = {
    "training.learning_rate": [2e-4, 1e-4, 5e-4],
    "training.per_device_train_batch_size": [4, 2],
    "lora.r": [8, 4, 16],
    "lora.lora_alpha": [16, 8, 32],
    "training.num_train_epochs": [3.0, 5.0],
}
HELD_OUT = 250
BASE = {"perplexity": 45.2, "bleu": 0.23, "rouge_l": 0.31}
SERIES = (
    "train/loss",
    "train/learning_rate",
    "train/grad_norm",
    "train/tokens_per_second",
    "system/memory",
    "eval/loss",
    "eval/perplexity",
)


def seed(settings: Settings) -> None:
    """Fill an empty data folder."""
    migrate.upgrade(settings)
    database = connect(settings.database)
    with database.writing() as session:
        dataset = _dataset(session, settings)
    with database.writing() as session:
        study = Experiment(name="TinyLlama medical, reference study", description="Which settings are best?")
        session.add(study)
        session.flush()
        _finished(session, settings, study, dataset)
        running = _unfinished(session, settings, study, dataset)
        _worker(session, running)
        session.commit()
    database.dispose()


def _dataset(session: Session, settings: Settings) -> Dataset:
    """The sample, imported as an upload is, so that its page shows what an import finds out."""
    with datasets.staging(settings) as folder:
        request = ImportRequest.of({"name": "medical_pairs"}, datasets.SAMPLE_FILE.name)
        dataset = datasets.import_file(session, settings, datasets.SAMPLE_FILE, folder, request)
    dataset.created_at = now() - timedelta(days=1)
    session.commit()
    return dataset


def _config(dataset: Dataset, changes: dict[str, Any]) -> dict[str, Any]:
    flat = {"model.base_model": "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "data.dataset": dataset.id, **changes}
    return parse(nest(flat)).model_dump(mode="json")


def _finished(session: Session, settings: Settings, study: Experiment, dataset: Dataset) -> None:
    note = "Are the held-out rows typical?"
    other = _run(session, study, dataset, "Baseline, split 7", {"data.split_seed": 7}, note, 11)
    _complete(session, other, {"perplexity": 18.4, "bleu": 0.42, "rouge_l": 0.52}, 45, 4.2, OTHER_FINGERPRINT)
    for number, (name, changes, perplexity, bleu, rouge_l, minutes, memory, note) in enumerate(STUDY):
        tuned = {"perplexity": perplexity, "bleu": bleu, "rouge_l": rouge_l}
        run = _run(session, study, dataset, name, changes, note, hours_ago=9.0 - number)
        _complete(session, run, tuned, minutes, memory, FINGERPRINT)
        _files(settings, run, tuned)
        if name == "Baseline":
            study.baseline_run_id = run.id
        run.sweep = {"id": study.baseline_run_id, "method": "list", "axes": VARIED}


def _unfinished(session: Session, settings: Settings, study: Experiment, dataset: Dataset) -> Run:
    changes = {"lora.r": 16, "lora.lora_alpha": 32, "training.num_train_epochs": 5.0}
    running = _run(session, study, dataset, "Exp 7", changes, "Rank 16 and 5 epochs together", 1.0)
    running.status, running.stage, running.attempt = RunStatus.RUNNING, "training", 1
    running.started_at = now() - timedelta(minutes=51)
    running.step, running.total_steps, running.epoch, running.fraction = 487, 785, 3.1, 0.62
    running.cloned_from = study.baseline_run_id
    running.eta_seconds = 1920.0
    session.add(Attempt(run_id=running.id, number=1, worker="gpu0", started_at=running.started_at, last_step=487))
    _points(session, running, 487, 785, start=3.8, end=2.8)
    _base_answers(settings, session, running)
    _log(settings, running, [("INFO", f"step {step} loss {3 - step / 2000:.3f}") for step in range(400, 487)])
    for number, seed in enumerate((43, 44)):
        changes = {"training.num_train_epochs": 5.0, "training.seed": seed}
        waiting = _run(session, study, dataset, f"Exp 6, seed {seed}", changes, "Replicate, for the spread", 0.8)
        waiting.queue_position = float(number + 1)
        waiting.tags = ["replicate"]
    failed = _run(
        session,
        study,
        dataset,
        "Batch 8, no 4-bit",
        {"training.per_device_train_batch_size": 8, "quantization.method": "none"},
        "",
        4.0,
    )
    _fail(session, settings, failed)
    cancelled = _run(session, study, dataset, "Rank 64", {"lora.r": 64, "lora.lora_alpha": 128}, "Too slow", 5.0)
    cancelled.status, cancelled.attempt = RunStatus.CANCELLED, 1
    cancelled.started_at, cancelled.finished_at = now() - timedelta(hours=5), now() - timedelta(hours=4.9)
    cancelled.step, cancelled.total_steps = 12, 471
    return running


def _run(
    session: Session,
    study: Experiment,
    dataset: Dataset,
    name: str,
    changes: dict[str, Any],
    note: str,
    hours_ago: float,
) -> Run:
    run = Run(
        experiment_id=study.id or 0,
        dataset_id=dataset.id,
        name=name,
        notes=note,
        config=_config(dataset, changes),
        created_at=now() - timedelta(hours=hours_ago),
    )
    session.add(run)
    session.flush()
    return run


def _complete(
    session: Session, run: Run, tuned: dict[str, float], minutes: int, memory: float, fingerprint: str
) -> None:
    base = BASE if fingerprint == FINGERPRINT else {"perplexity": 43.9, "bleu": 0.24, "rouge_l": 0.31}
    improvement = {name: (tuned[name] - base[name]) / base[name] for name in base}
    widths = {"perplexity": 0.02, "bleu": 0.13, "rouge_l": 0.08}
    run.status, run.stage, run.attempt, run.fraction = RunStatus.COMPLETED, None, 1, 1.0
    run.finished_at = run.created_at + timedelta(minutes=minutes + 6)
    run.started_at = run.created_at + timedelta(seconds=3)
    run.step = run.total_steps = 157 * int(run.config["training"]["num_train_epochs"])
    run.epoch = run.config["training"]["num_train_epochs"]
    run.fingerprint, run.perplexity_key, run.baseline_key = fingerprint, fingerprint[::-1], f"{fingerprint}-nf4"
    run.environment = {"device": "Tesla T4", "paths": {"packing": "in one line", "base": "known already"}}
    run.results = {
        "base": base | {"loss": math.log(base["perplexity"])},
        "finetuned": tuned | {"loss": math.log(tuned["perplexity"])},
        "improvement": improvement,
        "intervals": {name: [value - widths[name], value + widths[name]] for name, value in improvement.items()},
        "base_plain": None,
        "eval_rows": 250,
        "eval_tokens": 19_240,
        "shortened_prompts": 0,
        "cut_responses": 2,
        "fingerprint": run.fingerprint,
        "perplexity_key": run.perplexity_key,
        "baseline_key": run.baseline_key,
    }
    run.resources = _resources(minutes * 60, memory, run)
    for name, value in tuned.items():
        session.add(RunValue(run_id=run.id, name=f"eval/{name}", last=value, best=value))
    session.add(
        Attempt(
            run_id=run.id,
            number=1,
            worker="gpu0",
            status=RunStatus.COMPLETED,
            started_at=run.started_at,
            finished_at=run.finished_at,
            last_step=run.step,
        )
    )
    _points(session, run, run.step, run.step, start=3.8, end=math.log(tuned["perplexity"]))


def _resources(seconds: float, memory: float, run: Run) -> dict[str, Any]:
    epochs = run.config["training"]["num_train_epochs"]
    return {
        "device": "Tesla T4",
        "memory_kind": "cuda",
        "peak_memory_bytes": int(memory * GB),
        "mean_memory_bytes": int(memory * 0.95 * GB),
        "train_seconds": seconds,
        "seconds_per_epoch": seconds / epochs,
        "seconds_per_1000_rows": seconds / 2.5,
        "seconds_per_1000_examples": seconds / 2.5 / epochs,
        "evaluation_seconds": 360.0,
        "tokens_per_second": 2128.0,
        "trainable_parameters": 6_307_840,
        "total_parameters": 1_106_356_224,
        "effective_batch_size": 16,
    }


def _points(session: Session, run: Run, steps: int, total: int, *, start: float, end: float) -> None:
    ids = _names(session)
    noise = random.Random(run.id)
    for step in range(1, steps + 1, 2):
        share = step / total
        loss = end + (start - end) * math.exp(-5 * share) + noise.gauss(0, 0.05)
        values = {
            "train/loss": loss,
            "train/learning_rate": 2e-4 * 0.5 * (1 + math.cos(math.pi * share)),
            "train/grad_norm": 0.5 + math.exp(-8 * share) + noise.gauss(0, 0.04),
            "train/tokens_per_second": 2128 + noise.gauss(0, 40),
            "system/memory": 4.6 * GB + noise.gauss(0, 3e7),
        }
        if step % 157 in (0, 1) and step > 1:
            values |= {"eval/loss": loss + 0.08, "eval/perplexity": math.exp(loss + 0.08)}
        for name, value in values.items():
            session.add(
                MetricPoint(run_id=run.id, name_id=ids[name], step=step, value=value, time=step * 6.3, epoch=step / 157)
            )


def _names(session: Session) -> dict[str, int]:
    ids = {name: number for number, name in enumerate(SERIES, start=1)}
    for name, number in ids.items():
        if session.get(MetricName, number) is None:
            session.add(MetricName(id=number, name=name))
    session.flush()
    return ids


def _files(settings: Settings, run: Run, tuned: dict[str, float]) -> None:
    folder = settings.run_dir(run.id or 0) / "artifacts"
    folder.mkdir(parents=True)
    (folder / "adapter.zip").write_bytes(bytes(250_000))
    (folder / "config.json").write_text(json.dumps(run.config))
    base, answers = _row_scores(0, BASE), _row_scores(run.id or 0, tuned)
    lines = [json.dumps(_prediction(row, base[row], answers[row])) for row in range(HELD_OUT)]
    (folder / "predictions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = ("adapter.zip", "config.json", "predictions.jsonl")
    (folder / "manifest.json").write_text(json.dumps([_artifact(folder / name) for name in names]))
    _log(settings, run, [("INFO", "training done"), ("WARNING", "2 responses were cut"), ("INFO", "saved")])


def _artifact(file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    return {
        "name": file.name,
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "media_type": "application/octet-stream",
    }


def _log(settings: Settings, run: Run, lines: Sequence[tuple[str, str]]) -> None:
    settings.run_dir(run.id or 0).mkdir(parents=True, exist_ok=True)
    stamp = (run.started_at or now()).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = "".join(f"{stamp} {level} {message}\n" for level, message in lines)
    (settings.run_dir(run.id or 0) / "run.log").write_text(text, encoding="utf-8")


def _base_answers(settings: Settings, session: Session, run: Run) -> None:
    """What a run goes by while it trains: the base was measured before."""
    run.baseline_key = f"{FINGERPRINT}-nf4"
    rows = [{"row": n, "answer": f"Condition {n} is a condition. Weakness.", "rouge_l": 0.2} for n in range(HELD_OUT)]
    settings.baselines_dir.mkdir()
    (settings.baselines_dir / f"{run.baseline_key}.json").write_text(json.dumps({"rows": rows}))
    session.add(Baseline(key=run.baseline_key, metrics=BASE))


def _prediction(row: int, base: dict[str, Any], tuned: dict[str, Any]) -> dict[str, Any]:
    reference = f"Tiredness, weakness and, in about {row % 60} of 100 people, cold hands or feet."
    return {
        "row": row,
        "prompt": f"<|user|>\nWhat are the usual first symptoms of condition {row}?</s>\n<|assistant|>\n",
        "reference": reference,
        "base": f"Condition {row} is a condition. It is important to eat healthy foods and weakness.",
        "finetuned": reference.replace("weakness", "pale skin"),
        "prompt_tokens": list(range(1, 20)),
        "reference_tokens": list(range(1, 1 + tuned["tokens"])),
        "scores": {"base": base, "finetuned": tuned},
    }


def _row_scores(seed: int, metrics: dict[str, float]) -> list[dict[str, Any]]:
    """Scores by row that add up to the metrics: what a row is like is shared by all runs, the rest is the run's own."""
    shared, own = random.Random(1), random.Random(seed)
    tokens = [shared.randint(40, 110) for _ in range(HELD_OUT)]
    losses = [math.log(metrics["perplexity"]) + shared.gauss(0, 0.6) + own.gauss(0, 0.22) for _ in tokens]
    gap = math.log(metrics["perplexity"]) - sum(loss * n for loss, n in zip(losses, tokens, strict=True)) / sum(tokens)
    rouge = [metrics["rouge_l"] + shared.gauss(0, 0.12) + own.gauss(0, 0.05) for _ in tokens]
    shift = metrics["rouge_l"] - sum(rouge) / HELD_OUT
    return [
        {"nll": (loss + gap) * n, "tokens": n, "rouge_l": score + shift, "bleu": _ngrams(own, n, metrics["bleu"])}
        for loss, n, score in zip(losses, tokens, rouge, strict=True)
    ]


def _ngrams(noise: random.Random, length: int, bleu: float) -> list[int]:
    totals = [length - order for order in range(4)]
    shares = [bleu**power * noise.uniform(0.9, 1.1) for power in (0.4, 0.8, 1.2, 1.6)]
    return [*(round(total * share) for total, share in zip(totals, shares, strict=True)), *totals, length, length]


def _fail(session: Session, settings: Settings, run: Run) -> None:
    run.status, run.stage, run.attempt = RunStatus.FAILED, "training", 1
    run.started_at, run.finished_at = now() - timedelta(hours=4), now() - timedelta(hours=3.9)
    run.step, run.total_steps, run.fraction = 3, 237, 0.01
    run.error = {
        "code": "out_of_memory",
        "title": "Out of memory",
        "detail": "Step 3 needed 16.4 GB, and the GPU has 15.8 GB.",
        "hint": "Halve the batch size and double the accumulation, or load the base in 4 bits (nf4).",
    }
    _log(settings, run, [("INFO", "loading the base model"), ("ERROR", "out of memory at step 3")])


def _worker(session: Session, running: Run) -> None:
    session.add(
        Worker(
            name="gpu0",
            hostname="bench",
            pid=4242,
            version="0.1.0",
            device="Tesla T4",
            memory_total_bytes=int(15.8 * GB),
            memory_used_bytes=int(4.6 * GB),
            run_id=running.id,
            boot=leases.boot(),
            beat_until=time.monotonic() + 86_400,
            started_at=now() - timedelta(days=2),
        )
    )


if __name__ == "__main__":
    seed(Settings(data_dir=Path(sys.argv[1])))
