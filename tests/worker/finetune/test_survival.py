"""What a run keeps, says and comes to when it is interrupted, damaged, short of memory, or diverges."""

import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from worker.finetune import checkpoint, likelihood
from worker.finetune.errors import FinetuneError, Stopped
from worker.finetune.learner import Learner
from worker.finetune.pipeline import Outcome, finetune
from worker.finetune.training import Training

# Of a run's points, those that a clock or the machine has a part in.
MEASURED = {"train/tokens_per_second", "system/memory"}
Start = Callable[..., Outcome]


@pytest.fixture
def start(llama: Path, rows: Path, make_config: Any, tmp_path: Path) -> Start:
    """A run of 8 steps, 4 an epoch, in a folder below the test's."""

    def run(folder: str, reporter: Any, resume: bool = False, batch_divisor: int = 1, **overrides: Any) -> Outcome:
        config = make_config(**{"training__num_train_epochs": 2, "data__validation_fraction": 0.1} | overrides)
        return finetune(
            config, model_path=llama, rows_path=rows, output_dir=tmp_path / folder, baselines_dir=tmp_path / "b",
            reporter=reporter, resume=resume, batch_divisor=batch_divisor,
        )  # fmt: skip

    return run


def points(path: Path) -> list[tuple[str, int, float | None]]:
    lines = path.read_text().splitlines()
    found = [json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")) for line in lines]
    return [(point["name"], point["step"], point["value"]) for point in found if point["name"] not in MEASURED]


def final_adapter(folder: Path) -> dict[str, torch.Tensor]:
    with zipfile.ZipFile(folder / "artifacts/adapter.zip") as archive:
        return load(archive.read("adapter_model.safetensors"))


def test_the_curves_are_open_while_the_training_adds_to_them_and_no_longer(
    start: Start, recording: Any, tmp_path: Path
) -> None:
    kept: list[tuple[str, bool]] = []

    def look(reporter: Any) -> bool:
        opened = [path.resolve() for path in Path("/proc/self/fd").iterdir()]
        kept.append((reporter.stages[-1], tmp_path / "run/metrics.jsonl" in opened))
        return False

    start("run", recording(stop_at=look))
    assert {stage for stage, is_open in kept if is_open} == {"training"}
    assert ("training", False) not in kept


@pytest.mark.parametrize(("stage", "step"), [("training", 4), ("training", 8), ("evaluating", 8), ("saving", 8)])
def test_a_stop_in_an_evaluation_loses_and_repeats_nothing(
    start: Start, recording: Any, tmp_path: Path, stage: str, step: int
) -> None:
    """Steps 4 and 8 end an epoch: the stop is heard by the evaluation after them, or by what follows the training."""
    choosing = {"training__load_best_model_at_end": True, "training__save_steps": 3, "lora__lora_dropout": 0.1}
    whole = start("whole", recording(), **choosing)
    reached = step if stage == "training" else 0
    for least in (reached, 0):  # and once more, in the very same place
        stopping = recording(stop_at=lambda r, least=least: r.stages[-1] == stage and r.steps >= least)
        with pytest.raises(Stopped):
            start("two", stopping, resume=True, **choosing)
    again = recording()
    resumed = start("two", again, resume=True, **choosing)
    assert min(again.curves.get("train/loss", {9: None})) == step + 1
    assert resumed.results == whole.results
    assert points(tmp_path / "two/metrics.jsonl") == points(tmp_path / "whole/metrics.jsonl")
    expected = final_adapter(tmp_path / "whole")
    assert all(torch.equal(tensor, expected[name]) for name, tensor in final_adapter(tmp_path / "two").items())


def test_a_damaged_checkpoint_is_told_of_and_the_one_before_gone_on_from(
    start: Start, recording: Any, tmp_path: Path
) -> None:
    whole = start("whole", recording(), training__save_steps=2)
    with pytest.raises(Stopped):
        start("two", recording(stop_at=lambda r: r.steps == 6), training__save_steps=2)
    tensors = tmp_path / "two/checkpoints/step-00000006/tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1])
    (tmp_path / "two/checkpoints/.step-00000007.tmp").mkdir()
    again = recording()
    resumed = start("two", again, resume=True, training__save_steps=2)
    assert again.warnings == [
        "The checkpoint of step 6 was damaged (tensors.safetensors is not what was saved). "
        "Training went on after step 4, from the last one."
    ]
    assert min(again.curves["train/loss"]) == 5
    assert resumed.results == whole.results
    assert sorted(path.name for path in (tmp_path / "two/checkpoints").iterdir()) == ["step-00000006", "step-00000008"]


def test_without_a_whole_checkpoint_it_starts_from_zero_and_says_so(
    start: Start, recording: Any, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        start("one", recording(stop_at=lambda r: r.steps == 2))
    next((tmp_path / "one/checkpoints").glob("*/state.json")).unlink()
    again = recording()
    start("one", again, resume=True)
    assert min(again.curves["train/loss"]) == 1
    assert "from zero" in again.warnings[0]


@pytest.mark.parametrize("packing", [False, True])
def test_half_the_rows_a_pass_changes_no_step_and_goes_on_from_a_checkpoint_of_whole_ones(
    start: Start, recording: Any, packing: bool
) -> None:
    settings = {"lora__lora_dropout": 0, "training__packing": packing}
    whole, halves, again = recording(), recording(), recording()
    plain = start("whole", whole, **settings)
    passes: list[int] = []
    accumulate = Learner._accumulate
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Learner, "_accumulate", lambda self, b, r: (passes.append(len(b)), accumulate(self, b, r))[1])
        halved = start("halves", halves, batch_divisor=2, **settings)
    assert max(passes) == 4  # instead of 2
    losses = [list(r.curves["train/loss"].values()) for r in (whole, halves)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert (halved.resources["effective_batch_size"], halves.environments[0]["batch_divisor"]) == (8, 2)
    with pytest.raises(Stopped):
        start("two", recording(stop_at=lambda r: r.steps == 3), **settings)
    resumed = start("two", again, resume=True, batch_divisor=2, **settings)
    assert min(again.curves["train/loss"]) == 4
    assert resumed.results["finetuned"]["loss"] == pytest.approx(plain.results["finetuned"]["loss"], rel=1e-4)


def broken_at(step: int, break_it: Callable[[Learner], float]) -> Callable[..., torch.Tensor]:
    accumulate = Learner._accumulate

    def accumulated(self: Learner, batches: Any, reporter: Any) -> torch.Tensor:
        loss = accumulate(self, batches, reporter)
        return torch.tensor(break_it(self)) if self.scheduler.last_epoch + 1 == step else loss

    return accumulated


def infinite_weights(learner: Learner) -> float:
    """A finite loss, and an update that goes beyond all numbers."""
    learner.parameters[0].data.fill_(math.inf)
    return 1.0


@pytest.mark.parametrize(
    ("break_it", "named", "offered"),
    [(lambda _: math.nan, "The loss of step 6 was nan", 5), (infinite_weights, "After step 6 weights", 5)],
)
def test_a_diverged_run_names_the_step_and_offers_the_last_finite_adapter(
    start: Start,
    recording: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Any,
    named: str,
    offered: int,
) -> None:
    monkeypatch.setattr(Learner, "_accumulate", broken_at(6, break_it))
    reporter, folder = recording(), tmp_path / "one"
    with pytest.raises(FinetuneError) as caught:
        start("one", reporter, training__save_steps=1)
    assert caught.value.code == "nan_loss"
    assert named in caught.value.detail
    assert f"adapter of step {offered}, " in caught.value.detail
    entries = {entry["name"]: entry for entry in json.loads((folder / "artifacts/manifest.json").read_text())}
    assert entries["adapter.zip"]["step"] == offered
    assert "step" not in entries["metrics.jsonl"]
    found = checkpoint.recover(folder / "checkpoints")
    assert found is not None
    assert found.state is not None
    assert found.step == offered
    kept = final_adapter(folder)
    assert all(torch.equal(kept[name], tensor) for name, tensor in found.state["learner"]["adapter"].items())
    assert all(bool(torch.isfinite(tensor).all()) for tensor in kept.values())
    assert points(folder / "artifacts/metrics.jsonl") == points(folder / "metrics.jsonl")
    if named.startswith("The loss"):
        assert reporter.curves["train/loss"][6] is None


def test_a_run_that_diverges_at_once_has_nothing_to_offer(
    start: Start, recording: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Learner, "_accumulate", broken_at(1, lambda _: math.inf))
    with pytest.raises(FinetuneError, match="no adapter to offer"):
        start("one", recording())
    assert not (tmp_path / "one/artifacts").exists()


RAISED = [
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "out_of_memory"),
    (MemoryError(), "out_of_memory"),
    (RuntimeError("CUDA error: an illegal memory access was encountered"), "cuda_error"),
    (OSError(5, "Input/output error"), "io_error"),
]


@pytest.mark.parametrize(("error", "code"), RAISED, ids=lambda part: part if isinstance(part, str) else "")
def test_what_a_library_raises_in_training_gets_its_name(
    start: Start, recording: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: str
) -> None:
    def fail(*_: Any) -> float:
        raise error

    monkeypatch.setattr(Learner, "step", fail)
    with pytest.raises(FinetuneError) as caught:
        start("one", recording())
    assert caught.value.code == code
    assert caught.value.detail.startswith("While training: ")


def test_a_stop_wins_over_a_checkpoint_that_cannot_be_saved(
    start: Start, recording: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise FinetuneError("disk_full", "Disk full", "", "")

    monkeypatch.setattr(Training, "save", full)
    reporter = recording(stop_at=lambda r: r.steps == 2)
    with pytest.raises(Stopped):
        start("one", reporter)
    assert any("No checkpoint was saved" in line for line in reporter.logged)


def test_every_batch_of_an_evaluation_and_every_new_token_is_a_sign_of_life(
    start: Start, recording: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two of them lies one forward pass: a long evaluation is never taken for one that hangs."""
    said, longest, forward = 0, 0, 0
    score = likelihood._score

    class Alive(recording):  # type: ignore[misc]
        def alive(self) -> None:
            nonlocal said, forward
            said, forward = said + 1, 0

    def scored(*args: Any) -> Any:
        nonlocal forward, longest
        forward += 1
        longest = max(longest, forward)
        return score(*args)

    monkeypatch.setattr(likelihood, "_score", scored)
    monkeypatch.setattr(likelihood, "_tokens_at_once", lambda *_: 100)
    start("one", Alive())
    assert longest == 1
    assert said > 8 * 2 + 2 * 8  # passes of training, and tokens of the base's and the tuned model's answers
