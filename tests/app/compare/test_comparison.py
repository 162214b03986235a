"""A comparison from stored runs and the answers that they left."""

import json
import random
from statistics import fmean
from typing import Any

import pytest

from app.compare import comparison
from app.compare.chosen import choose
from app.compare.comparison import Comparison
from app.compare.results import MetricRow
from app.db import Database
from app.settings import Settings
from app.statistics import differences
from app.status import RunStatus
from tests.stored_runs import add_completed, add_points, add_run, config


def build(database: Database, settings: Settings, ids: list[int], baseline: int | None = None) -> Comparison:
    with database.reading() as session:
        return comparison.build(session, settings, choose(session, ids, baseline))


def metric(found: Comparison, short: str) -> MetricRow:
    return next(row for row in found.metrics if row.metric.short == short)


def answers(settings: Settings, run_id: int, level: float, noise: float = 0.2) -> None:
    """Rows that are hard or easy for all runs alike, and a little the run's own."""
    shared, own = random.Random(0), random.Random(run_id)
    mine = [own.gauss(0, noise) for _ in range(60)]
    lines = []
    for row in range(60):
        loss = (level + shared.gauss(0, 0.5) + mine[row] - fmean(mine)) * 50
        lines.append({"row": row, "scores": {"finetuned": {"nll": loss, "tokens": 50, "rouge_l": 0.5}}})
    folder = settings.run_dir(run_id) / "artifacts"
    folder.mkdir(parents=True)
    (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_settings_that_differ_are_told_from_those_that_do_not(database: Database, settings: Settings) -> None:
    ids = [add_completed(database, 20.0, config=config(lora__r=r)) for r in (8, 16, 8)]
    rows = {row.name: row for row in build(database, settings, ids).settings}
    assert [name for name, row in rows.items() if row.differs] == ["lora.r"]
    assert rows["lora.r"].values == dict(zip(ids, (8, 16, 8), strict=True))


def test_a_setting_that_a_run_from_elsewhere_did_not_state_differs(database: Database, settings: Settings) -> None:
    ids = [add_completed(database, 20.0), add_completed(database, 21.0, config={"lora": {"r": 8}})]
    rows = {row.name: row for row in build(database, settings, ids).settings}
    assert not rows["lora.r"].differs
    assert rows["training.seed"].differs
    assert ids[1] not in rows["training.seed"].values


def test_differences_are_against_the_baseline_with_the_interval_of_the_answers(
    database: Database, settings: Settings
) -> None:
    ids = [add_completed(database, perplexity, bleu=0.4) for perplexity in (20.0, 16.0, 20.2)]
    for run_id, level in zip(ids, (3.0, 2.7, 3.0), strict=True):
        answers(settings, run_id, level)
    row = metric(build(database, settings, ids), "perplexity")
    better, noise = row.deltas[ids[1]], row.deltas[ids[2]]
    assert (better.absolute, better.relative) == (-4.0, -0.2)
    assert better.interval == differences.intervals(settings, ids[1], ids[0])["perplexity"]
    assert better.better is True
    assert noise.better is None
    assert row.best == {ids[1]}
    assert metric(build(database, settings, ids), "bleu").deltas[ids[1]].interval is None
    again = metric(build(database, settings, ids, baseline=ids[1]), "perplexity")
    assert again.deltas[ids[0]].absolute == 4.0
    assert again.deltas[ids[0]].better is False


def test_of_many_comparisons_each_needs_more_to_be_real(database: Database, settings: Settings) -> None:
    ids = [add_completed(database, 20.0 - n / 100) for n in range(20)]
    for place, run_id in enumerate(ids):
        answers(settings, run_id, 3.0 - (0.09 if place else 0))
    row = metric(build(database, settings, ids), "perplexity")
    lost = [delta for delta in row.deltas.values() if delta.lost_in_number]
    assert lost, "alone, these would be called real"
    for delta in row.deltas.values():
        assert delta.p_value is not None
        assert delta.p_adjusted is not None
        assert delta.p_adjusted >= delta.p_value
        assert (delta.better is not None) == (delta.p_adjusted <= 0.05)


def test_runs_that_were_asked_something_else_have_no_difference_and_a_reason(
    database: Database, settings: Settings
) -> None:
    first = add_completed(database, 20.0)
    other = add_completed(database, 12.0, fingerprint="other", perplexity_key="x", config=config(data__split_seed=7))
    tokens = add_completed(database, 14.0, perplexity_key="x", config=config(model__base_model="other/model"))
    found = build(database, settings, [first, other, tokens])
    assert metric(found, "perplexity").deltas == {}
    assert metric(found, "perplexity").best == frozenset()
    assert metric(found, "bleu").deltas.keys() == {tokens}
    assert found.apart == {
        other: "it was asked something else: split seed 7 instead of 42",
        tokens: "it counts other tokens: base model other/model instead of some/model",
    }


def test_memory_of_a_process_is_not_set_against_that_of_a_gpu(database: Database, settings: Settings) -> None:
    def cost(kind: str, peak: int) -> dict[str, Any]:
        return {"memory_kind": kind, "peak_memory_bytes": peak, "train_seconds": float(peak)}

    kinds = [("cuda", 4), ("rss", 9), ("cuda", 5)]
    ids = [add_completed(database, 20.0, resources=cost(kind, peak)) for kind, peak in kinds]
    rows = {row.name: row for row in build(database, settings, ids).resources}
    assert rows["peak_memory_bytes"].deltas == {ids[2]: 1}
    assert rows["train_seconds"].deltas == {ids[1]: 5, ids[2]: 1}


def test_series_are_those_that_were_recorded(database: Database, settings: Settings) -> None:
    ids = [add_completed(database, 20.0), add_completed(database, 21.0)]
    add_points(database, ids[0], "train/loss", {1: 3.0, 2: 2.0})
    add_points(database, ids[1], "train/loss", {1: None})
    add_points(database, ids[1], "eval/loss", {1: 2.0})
    found = {row.name: row.runs for row in build(database, settings, ids).series}
    assert found == {"train/loss": ids, "eval/loss": [ids[1]]}


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.FAILED])
def test_a_run_without_a_result_is_compared_by_its_settings_alone(
    database: Database, settings: Settings, status: RunStatus
) -> None:
    ids = [add_completed(database, 20.0), add_run(database, status, config=config(lora__r=64))]
    found = build(database, settings, ids)
    assert metric(found, "perplexity").values == {ids[0]: 20.0}
    assert [row.name for row in found.settings if row.differs] == ["lora.r"]
    assert found.apart == {}


def test_a_baseline_without_the_metric_leaves_nothing_to_rank(database: Database, settings: Settings) -> None:
    ids = [add_completed(database, None), add_completed(database, 20.0), add_completed(database, 18.0)]
    found = build(database, settings, ids)
    row = metric(found, "perplexity")
    assert (row.deltas, row.best) == ({}, frozenset())
    assert metric(found, "bleu").deltas.keys() == set(ids[1:])
    assert found.verdict
