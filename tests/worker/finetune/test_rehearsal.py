"""The largest batch is tried by the first step or before it: what does not fit fails at once and leaves nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from worker.finetune import learner, training
from worker.finetune.errors import FinetuneError
from worker.finetune.pipeline import finetune
from worker.finetune.plan import Plan, epoch_batches, make_plan
from worker.finetune.reporter import Silent


def losses(folder: Path) -> list[float]:
    points = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [point["value"] for point in points if point["name"] == "train/loss"]


def test_the_largest_batch_is_that_of_all_epochs(make_config: Any) -> None:
    lengths = [(i * 37) % 100 + 5 for i in range(203)]
    config = make_config(training__num_train_epochs=3).training
    plan = make_plan(lengths, config)
    every = [b for epoch in range(3) for b in epoch_batches(plan.lengths, plan.batch_size, plan.seed, epoch)]
    sizes = [len(batch) * max(lengths[i] for i in batch) for batch in every]
    largest = plan.largest(packed=False)
    assert len(largest) * max(lengths[i] for i in largest) == max(sizes)
    assert sum(lengths[i] for i in plan.largest(packed=True)) == max(sum(lengths[i] for i in b) for b in every)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a batch of the second step were the largest: these rows are as long as each other."""
    monkeypatch.setattr(Plan, "largest", lambda plan, **_: plan.step(1)[0])


@pytest.mark.usefixtures("later")
def test_trying_it_changes_no_digit_of_the_training(
    llama: Path, rows: Path, make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With dropout: what it drew from the random state has been given back."""
    config = make_config(training__max_steps=3, lora__lora_dropout=0.2)
    for name in ("tried", "not tried"):
        if name == "not tried":
            monkeypatch.setattr(training, "_rehearse", lambda run: None)
        finetune(config, model_path=llama, rows_path=rows, output_dir=tmp_path / name, reporter=Silent())
    assert losses(tmp_path / "tried") == losses(tmp_path / "not tried")
    assert len(losses(tmp_path / "tried")) == 3
    weights = [(tmp_path / name / "artifacts/adapter.zip").read_bytes() for name in ("tried", "not tried")]
    assert weights[0] == weights[1]


def test_a_batch_of_the_first_step_is_tried_by_that_step(
    llama: Path, rows: Path, make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(learner.Learner, "rehearse", lambda _, batches, __: calls.append(len(batches)))
    config = make_config(training__max_steps=2)
    for name in ("first", "later"):
        if name == "later":
            request.getfixturevalue("later")
        finetune(config, model_path=llama, rows_path=rows, output_dir=tmp_path / name, reporter=Silent())
        assert len(calls) == (name == "later")


@pytest.mark.usefixtures("later")
def test_memory_that_is_too_small_is_told_before_the_first_step(
    llama: Path, rows: Path, make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise MemoryError("not enough memory: you tried to allocate 12 GB")

    monkeypatch.setattr(learner, "token_nll", full)
    with pytest.raises(FinetuneError) as failed:
        finetune(make_config(), model_path=llama, rows_path=rows, output_dir=tmp_path, reporter=Silent())
    assert failed.value.code == "out_of_memory"
    assert "trying the largest batch" in failed.value.detail
    assert losses(tmp_path) == []
