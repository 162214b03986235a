"""Studies of all sorts: seeds, ties, gaps, imports beside launched runs, settings that move alone or together."""

import random
from typing import Any

from app.study.report import Study
from app.study.runs import Configuration, StudyRun

CHOICES: dict[str, list[Any]] = {
    "training.learning_rate": [1e-4, 5e-5, 2e-4, 5e-4, 1e-3],
    "training.per_device_train_batch_size": [2, 4],
    "lora.r": [4, 8, 16],
    "training.num_train_epochs": [1.0, 3.0, 5.0],
    "quantization.method": ["nf4", "none"],
    "training.lr_scheduler_type": ["cosine", "linear"],
    "lora.use_dora": [False, True],
}
START = {name: values[0] for name, values in CHOICES.items()} | {"training.gradient_accumulation_steps": 4}
METRICS = {"perplexity": (17.0, 19.0), "bleu": (0.0, 0.3), "rouge_l": (0.1, 0.6)}


def random_study(seed: int) -> Study:
    rng = random.Random(seed)
    foreign = rng.choice([0.0, 0.0, 0.3, 1.0])  # share of imported runs
    places = rng.choice([0, 1, 4])  # few places make ties
    number_of = rng.choice([0, 1, 4, 7, 10])
    runs = [run for n in range(number_of) for run in _replicates(rng, n * 10 + 1, _settings(rng, n), places, foreign)]
    if rng.random() < 0.3:
        runs = [run for n, settings in enumerate(_sweep(rng)) for run in _replicates(rng, n * 10 + 1, settings, 2, 0)]
    best_by = rng.choice(list(METRICS))
    known = rng.choice([0.0, 0.5, 1.0])
    return Study(
        experiment={"id": 1, "name": "random", "description": ""},
        setup={"train_rows": rng.choice([None, 2500])},
        runs=runs,
        baseline=rng.choice([run.id for run in runs]) if runs and rng.random() < 0.8 else 999,
        interval=lambda a, b, metric: (
            _interval(random.Random(f"{seed}{a.first.id}{b.first.id}{metric}"), a, b, metric)
            if rng.random() <= known
            else None
        ),
        unfinished=rng.choice([0, 2]),
        best_by=best_by,
    )


def _replicates(
    rng: random.Random, first: int, settings: dict[str, Any], places: int, foreign: float
) -> list[StudyRun]:
    count = rng.choice([1, 1, 1, 3])
    imported = rng.random() < foreign
    where: dict[str, Any] = {"import_id": rng.choice([1, 2])} if imported else {
        "fingerprint": rng.choice("ffffffffg"), "perplexity_key": rng.choice("kkkkkkkkl")
    }  # fmt: skip
    if imported:
        settings = {name: value for name, value in settings.items() if name in CHOICES or rng.random() < 0.9}
    return [
        StudyRun(
            id=first + i,
            name=f"run {first + i}",
            settings=settings | ({"training.seed": 42 + i} if not imported else {}),
            metrics=_metrics(rng, places),
            resources=_resources(rng),
            base={"perplexity": 45.2, "bleu": 0.0} if rng.random() < 0.5 else {},
            notes=rng.choice(["", "slight improvement", "worse", "best"]),
            **where,
        )
        for i in range(count)
    ]


def _sweep(rng: random.Random) -> list[dict[str, Any]]:
    """One factor at each of its values, in any order."""
    name = rng.choice(["training.learning_rate", "training.num_train_epochs"])
    values = rng.sample(CHOICES[name], len(CHOICES[name]))
    return [START | {"lora.lora_alpha": 8, name: value} for value in values]


def _settings(rng: random.Random, number: int) -> dict[str, Any]:
    """The first run is the start; most others differ in one factor from it."""
    settings = START | {"lora.lora_alpha": 8}
    if number == 0:
        return settings
    often = ["training.learning_rate"] if rng.random() < 0.4 else list(CHOICES)
    for name in rng.sample(often, min(len(often), rng.choice([0, 1, 1, 1, 2]))):
        settings[name] = rng.choice(CHOICES[name])
    settings["lora.lora_alpha"] = settings["lora.r"] * 2 if rng.random() < 0.8 else 16
    return settings


def _metrics(rng: random.Random, places: int) -> dict[str, float]:
    """Some are missing, some BLEU is 0."""
    found = {name: round(rng.uniform(*bounds), places) for name, bounds in METRICS.items()}
    return {name: value for name, value in found.items() if rng.random() < 0.9}


def _resources(rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(["cuda", "cuda", "rss"])
    found = {
        "train_seconds": rng.choice([60.0, 60.02, 2700.0, 4500.0]),
        "peak_memory_bytes": rng.choice([4.2e9, 4.2001e9, 3.5e9, 12.5e9]),
    }
    return {"memory_kind": kind, **{name: value for name, value in found.items() if rng.random() < 0.8}}


def _interval(rng: random.Random, a: Configuration, b: Configuration, metric: str) -> tuple[float, float] | None:
    before, after = a.mean(metric), b.mean(metric)
    if not before or after is None or a.first.imported:
        return None
    change, reach = (after - before) / before, rng.choice([0.001, 0.05, 0.4])
    return change - reach, change + reach
