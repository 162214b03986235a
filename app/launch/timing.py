"""How long a run will take, from how long finished ones of the same base took on the same hardware.

Three parts, each from what was measured of it: loading and saving, training, and measuring base and fine-tuned model.
Training is carried over from one setting to another by how much there is to compute (app.launch.work), and runs with
more settings in common count more.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Any

from app import run_config
from app.launch import passes, work
from app.launch.launch_facts import ModelShape
from app.launch.passes import Lengths
from app.launch.past import Past
from app.run_config import RunConfig

# The finished runs that a forecast rests on, at most; and those that tell how long loading takes.
NEAREST, LATELY = 5, 3
# What training speed depends on: runs that share these count more.
OF_SPEED = (
    "quantization.method", "quantization.compute_dtype", "lora.r", "lora.lora_dropout", "lora.target_modules",
    "lora.use_dora", "lora.fused", "data.max_length", "training.per_device_train_batch_size",
    "training.max_tokens_per_step", "training.gradient_checkpointing", "training.packing",
    "training.train_sampling_strategy", "training.logits", "training.torch_compile", "training.use_liger_kernel",
    "training.optim",
)  # fmt: skip
# So much less does a run count for each setting of these in which it differs.
LESS = 0.25
# What the base's measurement depends on: it is taken once and kept (worker.finetune.keys, baseline_key).
OF_BASELINE = (
    "model.base_model", "model.revision", "quantization.method", "quantization.double_quant",
    "quantization.compute_dtype", "data.dataset", "data.eval_fraction", "data.split_seed", "data.max_length",
    "data.prompt_template", "evaluation.max_eval_rows", "evaluation.max_new_tokens",
)  # fmt: skip
# A token that is generated costs as much as so many that are scored: where runs do not tell otherwise; what is tried;
# by how much a ratio that is e times another has to tell better of them; and of how many runs at most.
GENERATED, RATIOS, DOUBT, MEASURED_ALIKE = 6.0, [6.0 * 2 ** (i / 4) for i in range(-16, 17)], 0.02, 20


@dataclass(frozen=True)
class Asked:
    """A run whose time is asked for: its rows, and whether its base will have been measured before it."""

    config: RunConfig
    train_rows: int
    held_out: int
    lengths: Lengths
    base_known: bool


def seconds(asked: Asked, shape: ModelShape | None, runs: Sequence[Past]) -> tuple[float, int] | None:
    """From start to end, and the number of runs that it rests on; None without one. `runs`: of the base and hardware
    that are asked for, newest first."""
    near = _nearest(asked.config, runs)
    if not near:
        return None
    return _start(near, runs) + _training(asked, shape, near) + _evaluation(asked, near, runs), len(near)


def baseline_of(flat: Mapping[str, Any]) -> tuple[str, ...]:
    """What two runs have in common of which the second finds its base measured."""
    return tuple(repr(flat.get(name)) for name in OF_BASELINE)


def _nearest(config: RunConfig, runs: Sequence[Past]) -> list[Past]:
    flat = run_config.flatten(config.model_dump(mode="json"))
    by_distance = sorted(runs, key=lambda run: _distance(flat, run.flat))  # the newer first of two as near
    return list(islice((run for run in by_distance if run.config), NEAREST))


def _distance(asked: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    return sum(asked.get(name) != other.get(name) for name in OF_SPEED)


def _start(near: Sequence[Past], runs: Sequence[Past]) -> float:
    """A run finds a process that has loaded the libraries, or not; where one did lately, the next will. What it then
    takes to load rows and base, and to save, is its own."""
    waited = [run.startup_seconds for run in runs if run.startup_seconds is not None]
    own = [run.start_seconds - run.startup_seconds for run in near if run.startup_seconds is not None]
    if not own:
        return min(run.start_seconds for run in runs[:LATELY])
    return min(waited[:LATELY]) + max(0.0, median(own))


def _training(asked: Asked, shape: ModelShape | None, near: Sequence[Past]) -> float:
    rows = passes.examples(asked.config, asked.train_rows, asked.lengths.mean)
    here = _of_a_row(asked.config, asked.train_rows, asked.lengths, shape)
    flat = run_config.flatten(asked.config.model_dump(mode="json"))
    found = []
    for run in near:
        then = _as_asked(run, asked)
        there = _of_a_row(then.config, then.train_rows, then.lengths, shape)
        found.append((run.seconds_a_row * here / there, LESS ** _distance(flat, run.flat)))
    return rows * weighted_median(found)


def _of_a_row(config: RunConfig, rows: int, lengths: Lengths, shape: ModelShape | None) -> float:
    """Without a shape, rows by their tokens."""
    if shape is None:
        return lengths.mean
    packed = config.training.packing is not False
    made = passes.passes(config, lengths, rows, packed=packed)
    return work.of_a_row(config, shape, lengths, made, recompute=config.training.gradient_checkpointing is True)


def _evaluation(asked: Asked, near: Sequence[Past], runs: Sequence[Past]) -> float:
    """Of the fine-tuned model, at the end and on the way, and of the base unless it is known."""
    ratio = _generated(asked, runs)
    tuned = [_tuned_seconds(run) / _tuned(_as_asked(run, asked), ratio) for run in near]
    made = _tuned(asked, ratio) * median(tuned)
    if asked.base_known:
        return made
    base = [run.baseline_seconds / _base(_as_asked(run, asked), ratio) for run in near if run.baseline_seconds]
    return made + _base(asked, ratio) * (median(base) if base else median(tuned))


def _tuned_seconds(run: Past) -> float:
    return run.evaluation_seconds - run.baseline_seconds


def _generated(asked: Asked, runs: Sequence[Past]) -> float:
    """In tokens scored, what one costs that is generated: the ratio by which finished runs tell best of each other.

    Where they differ in neither answers nor looks on the way, every ratio does, and the usual one stands.
    """
    known = list(islice((run for run in runs if run.config), MEASURED_ALIKE))
    of_runs = [(_as_asked(run, asked), run) for run in known]

    def apart(ratio: float) -> float:
        tuned = [_tuned_seconds(run) / _tuned(then, ratio) for then, run in of_runs]
        base = [run.baseline_seconds / _base(then, ratio) for then, run in of_runs]
        return (_spread(tuned) + _spread(base)) / len(of_runs) + DOUBT * abs(math.log(ratio / GENERATED))

    return min(RATIOS, key=apart)


def _spread(found: Iterable[float]) -> float:
    """How far they lie from the middle one, as shares of it; of those that were measured."""
    logs = [math.log(value) for value in found if value > 0]
    middle = median(logs) if logs else 0.0
    return sum(abs(value - middle) for value in logs)


def _as_asked(run: Past, asked: Asked) -> Asked:
    assert run.config is not None
    held_out = run.held_out or run.config.evaluation.max_eval_rows
    return Asked(run.config, run.train_rows, held_out, run.lengths or asked.lengths, base_known=True)


def _tuned(asked: Asked, ratio: float) -> float:
    """In tokens scored: the fine-tuned model's answers are about as long as those it was trained on."""
    evaluation, lengths = asked.config.evaluation, asked.lengths
    rows = max(1, min(asked.held_out, evaluation.max_eval_rows))
    written = min(evaluation.max_new_tokens, lengths.mean * lengths.scored)
    evaluations = passes.evaluations(asked.config, lengths, asked.train_rows)
    return rows * (lengths.mean * (1 + evaluations) + ratio * written)


def _base(asked: Asked, ratio: float) -> float:
    """The base seldom ends its answers."""
    rows = max(1, min(asked.held_out, asked.config.evaluation.max_eval_rows))
    return rows * (asked.lengths.mean + ratio * asked.config.evaluation.max_new_tokens)


def weighted_median(found: Iterable[tuple[float, float]]) -> float:
    """Of values with weights: half of the weight lies on either side."""
    ordered = sorted(found)
    half, seen = sum(weight for _, weight in ordered) / 2, 0.0
    for value, weight in ordered:
        seen += weight
        if seen >= half:
            return value
    raise ValueError("there are no values")
