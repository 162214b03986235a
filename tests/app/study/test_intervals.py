"""Intervals between configurations, from the answers that their runs left."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from app.settings import Settings
from app.study import intervals
from app.study.runs import Configuration, StudyRun, configurations


def run(settings: Settings, run_id: int, level: float, seed: int = 42, rank: int = 8) -> StudyRun:
    """A run whose answers lie in its folder; rows are as hard for all."""
    shared, own = np.random.default_rng(0), np.random.default_rng(run_id)
    tokens = shared.integers(20, 120, 200)
    nll = (level + shared.normal(0, 0.7, 200) + own.normal(0, 0.1, 200)) * tokens
    folder = settings.run_dir(run_id) / "artifacts"
    folder.mkdir(parents=True)
    lines = [
        json.dumps({"row": row, "scores": {"finetuned": {"nll": float(loss), "tokens": int(count), "rouge_l": 0.5}}})
        for row, (loss, count) in enumerate(zip(nll, tokens, strict=True))
    ]
    (folder / "predictions.jsonl").write_text("\n".join(lines))
    return StudyRun(
        id=run_id,
        name=f"run {run_id}",
        settings={"lora.r": rank, "training.seed": seed},
        metrics={"perplexity": float(np.exp(nll.sum() / tokens.sum())), "rouge_l": 0.5},
        fingerprint="asked",
        perplexity_key="asked",
    )


def pair(settings: Settings, *levels: Sequence[float]) -> list[Configuration]:
    """Two configurations, a run for each level."""
    numbered = iter(range(1, 100))
    runs = [run(settings, next(numbered), level, seed, rank) for rank, own in zip((8, 16), levels, strict=True)
            for seed, level in enumerate(own)]  # fmt: skip
    return configurations(runs)


def test_it_is_about_the_change_that_the_report_gives(settings: Settings) -> None:
    before, after = pair(settings, [2.7, 2.72, 2.71], [2.9, 2.91, 2.93])
    values = [side.mean("perplexity") or 0 for side in (before, after)]
    low, high = intervals.relative(settings, before, after, "perplexity") or (0, 0)
    assert 0 < low < values[1] / values[0] - 1 < high
    assert (intervals.p_value(settings, before, after, "perplexity") or 1) <= 0.05


def test_equal_configurations_are_within_noise_though_two_of_their_runs_are_not(settings: Settings) -> None:
    before, after = pair(settings, [2.70, 2.80, 2.90], [2.75, 2.85, 2.95])
    alone = [Configuration((side.runs[0],)) for side in (before, after)]
    assert (intervals.p_value(settings, *alone, "perplexity") or 1) < 0.01
    low, high = intervals.relative(settings, before, after, "perplexity") or (1, 1)
    assert low < 0 < high
    assert (intervals.p_value(settings, before, after, "perplexity") or 0) > 0.05


def test_one_run_has_the_seed_noise_of_a_baseline_with_several(settings: Settings) -> None:
    before, after = pair(settings, [2.70, 2.80, 2.90], [2.90])
    low, high = intervals.relative(settings, before, after, "perplexity") or (1, 1)
    assert low < 0 < high


def test_a_run_that_did_not_measure_the_metric_is_left_out_as_in_the_mean(settings: Settings) -> None:
    before, after = pair(settings, [2.7], [2.9])
    without = StudyRun(id=99, name="no answers", settings=after.first.settings, metrics={"bleu": 0.4})
    more = Configuration((*after.runs, without))
    expected = intervals.relative(settings, before, after, "perplexity")
    assert intervals.relative(settings, before, more, "perplexity") == expected is not None


@pytest.mark.parametrize("metric", ["bleu", "perplexity"])
def test_nothing_is_known_of_results_from_elsewhere(settings: Settings, metric: str) -> None:
    before, after = (
        Configuration((StudyRun(id=n, name="", settings={}, metrics={metric: 0.4}, import_id=1),)) for n in (1, 2)
    )
    assert intervals.relative(settings, before, after, metric) is None
    assert intervals.p_value(settings, before, after, metric) is None


def test_nothing_is_known_of_a_metric_without_parts(settings: Settings) -> None:
    before, after = pair(settings, [2.7], [2.9])
    assert intervals.relative(settings, before, after, "bleu") is None
