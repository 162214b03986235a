"""Steps are looked at several at a time: the same points and weights, and the right step named where one fails."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from worker.finetune import checkpoint
from worker.finetune.errors import FinetuneError, Stopped
from worker.finetune.learner import Learner, Step
from worker.finetune.pipeline import finetune
from worker.finetune.unread import Taken, Unread, look_every

# Of a run's points, those that a clock or the machine has a part in.
MEASURED = {"train/tokens_per_second", "system/memory"}


@pytest.fixture
def start(llama: Path, rows: Path, make_config: Any, tmp_path: Path) -> Callable[..., Any]:
    """A run of 8 steps, 4 an epoch; answers its results, its points and the tensors of its last checkpoint."""

    def run(name: str, reporter: Any, resume: bool = False, **overrides: Any) -> Any:
        usual = {"training__num_train_epochs": 2, "data__validation_fraction": 0.1, "lora__lora_dropout": 0.1}
        config = make_config(**usual | overrides)
        folder = tmp_path / name
        outcome = finetune(
            config, model_path=llama, rows_path=rows, output_dir=folder, baselines_dir=tmp_path / "b",
            reporter=reporter, resume=resume,
        )  # fmt: skip
        lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
        points = [(p["name"], p["step"], p["value"]) for p in lines if p["name"] not in MEASURED]
        found = checkpoint.recover(folder / "checkpoints")
        assert found is not None
        assert found.state is not None
        return outcome.results, points, found.state["learner"]["adapter"]

    return run


def assert_same(one: Any, other: Any) -> None:
    assert one[0] == other[0]
    assert one[1] == other[1]
    assert all(torch.equal(tensor, other[2][name]) for name, tensor in one[2].items())


def test_several_at_a_time_have_the_points_and_weights_of_one_at_a_time(
    start: Callable[..., Any], recording: Any
) -> None:
    told: list[int] = []

    class Told(recording):  # type: ignore[misc]
        def progress(self, step: int, *_: Any) -> None:
            told.append(step)

    one = start("one", recording(), training__logging_steps=1)
    several = start("several", Told(), training__logging_steps=3)
    assert_same(one, several)
    assert told == [3, 4, 7, 8]  # an epoch ends at 4: what is evaluated and saved has been looked at


def test_a_stop_between_two_looks_loses_no_point(start: Callable[..., Any], recording: Any) -> None:
    whole = start("whole", recording(), training__logging_steps=8)
    asked = 0

    def at_the_fifteenth_pass(_: Any) -> bool:
        nonlocal asked
        asked += reporter.stages[-1] == "training"
        return asked == 15

    reporter = recording(stop_at=at_the_fifteenth_pass)
    with pytest.raises(Stopped):
        start("two", reporter, training__logging_steps=8)
    stopped_after = max(reporter.curves["train/loss"])
    again = recording()
    resumed = start("two", again, resume=True, training__logging_steps=8)
    assert stopped_after % 4  # in mid-epoch, where nobody would have looked
    assert min(again.curves["train/loss"]) == stopped_after + 1
    assert_same(whole, resumed)


def test_a_step_without_a_number_is_named_at_the_look_and_nothing_after_it_is_kept(
    start: Callable[..., Any], recording: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accumulate = Learner._accumulate

    def broken(self: Learner, batches: Any, reporter: Any) -> torch.Tensor:
        loss = accumulate(self, batches, reporter)
        if self.scheduler.last_epoch + 1 == 6:
            self.parameters[0].grad = torch.full_like(self.parameters[0], math.nan)
        return loss

    monkeypatch.setattr(Learner, "_accumulate", broken)
    reporter = recording()
    with pytest.raises(FinetuneError) as caught:
        start("one", reporter, training__logging_steps=8)
    assert "The loss of step 6 was" in caught.value.detail
    assert "its gradient norm nan" in caught.value.detail
    assert "adapter of step 4, " in caught.value.detail
    assert reporter.curves["train/grad_norm"][6] is None
    assert max(reporter.curves["train/loss"]) == 6
    found = checkpoint.recover(tmp_path / "one/checkpoints")
    assert found is not None
    assert found.step == 4


def taken(number: int, tokens: int) -> Taken:
    return Taken(number, Step(torch.tensor(float(number)), torch.tensor(0.5), 1e-3), tokens, 1, 0)


def test_time_is_shared_by_tokens_and_sums_to_what_the_clock_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 14.0])
    monkeypatch.setattr("worker.finetune.unread.time.monotonic", lambda: next(clock))
    unread = Unread()
    for number, tokens in ((1, 100), (2, 300)):
        unread.begin()
        unread.taken.append(taken(number, tokens))
    read = unread.read()
    assert [(r.loss, r.grad_norm, r.seconds) for r in read] == [(1.0, 0.5, 1.0), (2.0, 0.5, 3.0)]
    assert unread.read() == []


def test_a_cpu_is_looked_at_each_step_and_a_gpu_less_often() -> None:
    assert look_every(None, torch.device("cpu")) == 1
    assert look_every(None, torch.device("cuda")) == 8
    assert look_every(5, torch.device("cpu")) == 5
