"""Intervals of the difference between two runs, held against a bootstrap and against sacrebleu."""

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from app import differences
from app.settings import Settings

Row = tuple[float, ...]


def losses(seed: int, level: float, own: float = 0.2) -> list[Row]:
    """Loss and tokens by row: how hard a row is, all runs share."""
    shared, mine = random.Random(0), random.Random(seed)
    rows = []
    for _ in range(250):
        tokens = shared.randint(20, 120)
        rows.append(((level + shared.gauss(0, 0.7) + mine.gauss(0, own)) * tokens, float(tokens)))
    return rows


def bootstrap(ours: Sequence[Row], theirs: Sequence[Row]) -> tuple[float, float]:
    """The same interval the long way."""
    dice = random.Random(3)
    gaps = []
    for _ in range(2000):
        drawn = dice.choices(range(len(ours)), k=len(ours))
        gaps.append(_perplexity(ours, drawn) - _perplexity(theirs, drawn))
    gaps.sort()
    return gaps[49], gaps[1949]


def _perplexity(rows: Sequence[Row], drawn: Sequence[int]) -> float:
    return math.exp(sum(rows[i][0] for i in drawn) / sum(rows[i][1] for i in drawn))


@pytest.mark.parametrize(("level", "own"), [(2.9, 0.2), (2.85, 0.4), (3.1, 0.1)])
def test_the_interval_is_that_of_a_paired_bootstrap(level: float, own: float) -> None:
    ours, theirs = losses(1, level, own), losses(2, 2.93, own)
    low, high = differences.jackknife(differences.perplexity, ours, theirs)
    expected = bootstrap(ours, theirs)
    assert (low, high) == pytest.approx(expected, abs=0.12 * (expected[1] - expected[0]))


def test_pairing_counts_rows_that_are_hard_for_both_are_no_spread() -> None:
    ours, theirs = losses(1, 2.9), losses(2, 2.93)
    low, high = differences.jackknife(differences.perplexity, ours, theirs)
    loose_low, loose_high = differences.jackknife(differences.perplexity, ours, theirs[::-1])
    assert high - low < (loose_high - loose_low) / 2


def test_bleu_from_counts_is_sacrebleus() -> None:
    bleu = pytest.importorskip("sacrebleu.metrics").BLEU(tokenize="13a")
    pairs = [
        ("the cat sat on the mat today", "the cat sat on a mat today"),
        ("no word is shared at all here", "entirely different text"),
        ("short", "a much longer reference than that"),
    ]
    for chosen in (pairs, pairs[:1], pairs[1:2], pairs[2:]):
        answers, references = [a for a, _ in chosen], [r for _, r in chosen]
        score = bleu.corpus_score(answers, [references])
        counts = [*score.counts, *score.totals, score.sys_len, score.ref_len]
        assert differences.bleu(counts) == pytest.approx(score.score / 100)


def write(settings: Settings, run_id: int, rows: Sequence[Row], **more: object) -> Path:
    folder = settings.run_dir(run_id) / "artifacts"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"row": i, "scores": {"finetuned": {"nll": nll, "tokens": int(tokens), "rouge_l": 0.5, **more}}})
        for i, (nll, tokens) in enumerate(rows)
    ]
    (folder / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_it_is_read_from_what_the_runs_left_and_a_metric_without_parts_is_missing(settings: Settings) -> None:
    write(settings, 1, losses(1, 2.9))
    write(settings, 2, losses(2, 2.93))
    found = differences.intervals(settings, 1, 2)
    assert found.keys() == {"perplexity", "rouge_l"}
    assert found["rouge_l"] == pytest.approx((0.0, 0.0))
    expected = differences.jackknife(differences.perplexity, losses(1, 2.9), losses(2, 2.93))
    assert found["perplexity"] == pytest.approx(expected)


def test_nothing_is_said_of_runs_that_left_nothing_or_share_few_rows(settings: Settings) -> None:
    write(settings, 1, losses(1, 2.9))
    write(settings, 2, losses(2, 2.93)[:5])
    assert differences.intervals(settings, 1, 99) == {}
    assert differences.intervals(settings, 1, 2) == {}


def test_a_row_without_a_finite_loss_takes_its_metric_out(settings: Settings) -> None:
    write(settings, 1, losses(1, 2.9))
    write(settings, 2, losses(2, 2.93), nll=None)
    assert differences.intervals(settings, 1, 2).keys() == {"rouge_l"}
