"""Differences between runs, from the files that they left."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from app.settings import Settings
from app.statistics import differences, paired

Row = tuple[float, int]


def losses(seed: int, level: float, own: float = 0.2) -> list[Row]:
    """Loss and tokens by row: how hard a row is, all runs share."""
    shared, mine = np.random.default_rng(0), np.random.default_rng(seed)
    tokens = shared.integers(20, 120, 250)
    nll = (level + shared.normal(0, 0.7, 250) + mine.normal(0, own, 250)) * tokens
    return [(float(loss), int(count)) for loss, count in zip(nll, tokens, strict=True)]


def write(settings: Settings, run_id: int, rows: Sequence[Row], first: int = 0, **more: object) -> Path:
    folder = settings.run_dir(run_id) / "artifacts"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"row": row, "scores": {"finetuned": {"nll": nll, "tokens": tokens, "rouge_l": 0.5, **more}}})
        for row, (nll, tokens) in enumerate(rows, first)
    ]
    (folder / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def perplexity(rows: Sequence[Row]) -> paired.Sample:
    nll, tokens = zip(*rows, strict=True)
    return paired.samples(paired.Side(nll, tokens, nll, [[1] * 10] * len(rows)).table())["perplexity"]


def test_it_is_read_from_what_the_runs_left_and_a_metric_without_parts_is_missing(settings: Settings) -> None:
    ours, theirs = losses(1, 2.9), losses(2, 2.93)
    write(settings, 1, ours)
    write(settings, 2, theirs)
    found = differences.intervals(settings, 1, 2)
    assert found.keys() == {"perplexity", "rouge_l"}
    assert found["rouge_l"] == (0.0, 0.0)
    assert found["perplexity"] == paired.difference([perplexity(theirs)], [perplexity(ours)]).absolute


def test_a_comparison_goes_from_the_first_to_the_second(settings: Settings) -> None:
    write(settings, 1, losses(1, 2.5))
    write(settings, 2, losses(2, 2.9))
    found = differences.compare(settings, [1], [2])["perplexity"]
    assert found.absolute[0] > 0
    low, high = found.relative or (0, 0)
    assert low < np.exp(0.4) - 1 < high


def test_seeds_are_compared_together(settings: Settings) -> None:
    levels = {1: 2.80, 2: 2.90, 3: 3.00, 4: 2.85, 5: 2.95, 6: 3.05}
    for run_id, level in levels.items():
        write(settings, run_id, losses(run_id, level))
    alone = differences.compare(settings, [1], [4])["perplexity"].absolute
    together = differences.compare(settings, [1, 2, 3], [4, 5, 6])["perplexity"].absolute
    assert alone[0] > 0  # as if a seed made no difference
    assert together[0] < 0 < together[1]


def test_only_rows_that_both_answered_count(settings: Settings) -> None:
    ours, theirs = losses(1, 2.9), losses(2, 2.93)
    write(settings, 1, ours)
    write(settings, 2, theirs[100:], first=100)
    found = differences.intervals(settings, 1, 2)["perplexity"]
    assert found == paired.difference([perplexity(theirs[100:])], [perplexity(ours[100:])]).absolute


def test_nothing_is_said_of_runs_that_left_nothing_or_share_few_rows(settings: Settings) -> None:
    write(settings, 1, losses(1, 2.9))
    write(settings, 2, losses(2, 2.93)[:5])
    assert differences.intervals(settings, 1, 99) == {}
    assert differences.intervals(settings, 1, 2) == {}
    assert differences.compare(settings, [1, 99], [1]) == {}


def test_a_row_without_a_finite_loss_takes_its_metric_out(settings: Settings) -> None:
    write(settings, 1, losses(1, 2.9))
    write(settings, 2, losses(2, 2.93), nll=None)
    assert differences.intervals(settings, 1, 2).keys() == {"rouge_l"}


def test_a_file_that_was_written_anew_is_read_anew(settings: Settings) -> None:
    write(settings, 1, losses(1, 2.9))
    folder = write(settings, 2, losses(2, 2.93))
    before = differences.intervals(settings, 1, 2)
    write(settings, 2, losses(2, 3.5))
    changed = (folder / "predictions.jsonl").stat().st_mtime_ns + 1
    os.utime(folder / "predictions.jsonl", ns=(changed, changed))
    assert differences.intervals(settings, 1, 2) != before


def test_the_web_starts_without_numpy() -> None:
    """It is a tenth of the process's memory, and only a comparison needs it."""
    code = "import sys, app.main; print('numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize("count", [10, 100])
def test_the_fewest_rows_are_enough(settings: Settings, count: int) -> None:
    write(settings, 1, losses(1, 2.9)[:count])
    write(settings, 2, losses(2, 2.93)[:count])
    low, high = differences.intervals(settings, 1, 2)["perplexity"]
    assert low < high


def test_many_at_a_time_are_told_as_each_alone_is(settings: Settings) -> None:
    for run_id in range(1, 20):
        write(settings, run_id, losses(run_id, 2.5 + run_id / 100))
    write(settings, 20, losses(20, 2.5)[:5])  # too few in common
    write(settings, 21, losses(21, 2.5), first=100)
    others = [*range(2, 22), 99]
    together = differences.against(settings, 1, others)
    differences._known_differences.clear()
    assert together == {run_id: differences.compare(settings, [1], [run_id]) for run_id in others}
    assert together[20] == together[99] == {}
    assert together[21]


def test_runs_that_answered_alike_differ_by_nothing_at_all(settings: Settings) -> None:
    for run_id in range(1, 20):
        write(settings, run_id, losses(1, 2.5))
    for found in differences.against(settings, 1, range(2, 20)).values():
        assert found["perplexity"].absolute == (0.0, 0.0)
        assert found["perplexity"].p_value == 1.0
