"""The loop against transformers.Trainer, optimizers and schedules, and a training that is interrupted."""

import json
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from app.config_sections import Optimizer, Schedule, TrainingConfig
from worker.finetune import checkpoint
from worker.finetune.adapter import adapter_state, attach
from worker.finetune.batches import pad
from worker.finetune.errors import Stopped
from worker.finetune.learner import Learner
from worker.finetune.likelihood import likelihood
from worker.finetune.model import load_base
from worker.finetune.optimizer import make_optimizer, make_scheduler
from worker.finetune.pipeline import finetune
from worker.finetune.plan import make_plan
from worker.finetune.preparing import prepare
from worker.finetune.reporter import Silent

CPU = torch.device("cpu")


def fresh_model(llama: Path, config: Any) -> Any:
    base = load_base(llama, config.quantization, dtype=torch.float32, device=CPU, stop_ids=(1,))
    return attach(base.model, config)


class InPlanOrder(Trainer):  # type: ignore[misc]
    """transformers' Trainer, fed our batches in our order."""

    def get_train_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(self.train_dataset, batch_size=None, shuffle=False)


def trainer_losses(model: Any, batches: Sequence[Any], config: Any, total: int, folder: Path) -> list[float]:
    seen: list[float] = []

    class Collect(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            seen.extend([logs["loss"]] if "loss" in logs else [])

    training = config.training
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=total, logging_steps=1, report_to=[], save_strategy="no", use_cpu=True,
        learning_rate=training.learning_rate, gradient_accumulation_steps=training.gradient_accumulation_steps,
        lr_scheduler_type=training.lr_scheduler_type, warmup_steps=training.warmup_steps, optim=training.optim,
        max_grad_norm=training.max_grad_norm, weight_decay=training.weight_decay, seed=training.seed,
        disable_tqdm=True, logging_nan_inf_filter=False,
    )  # fmt: skip
    data = [{**batch.inputs(), "labels": batch.labels} for batch in batches]
    trainer = InPlanOrder(model=model, args=arguments, train_dataset=data, callbacks=[Collect()])
    trainer.train()
    return seen


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("method", "count", "epochs"), [("nf4", 30, 2), ("none", 24, 1), ("nf4", 28, 1)])
def test_losses_and_weights_equal_those_of_transformers_trainer(
    llama: Path, rows: Path, make_config: Any, tmp_path: Path, method: str, count: int, epochs: int
) -> None:
    """30 rows in two epochs of four steps; 28 in one epoch whose last step has a single batch."""
    settings: dict[str, Any] = {
        "quantization__method": method, "lora__lora_dropout": 0, "training__num_train_epochs": epochs,
        "training__warmup_steps": 0.1, "training__weight_decay": 0.01, "data__max_train_rows": count,
    }  # fmt: skip
    config = make_config(**settings)
    job = prepare(config, model_path=llama, rows_path=rows, dataset_sha256=None, reporter=Silent())
    assert len(job.train) == count
    plan = make_plan([len(e) for e in job.train], config.training)
    steps = [[pad([job.train[i] for i in b], 1) for b in plan.step(n)] for n in range(plan.total_steps)]
    ours = fresh_model(llama, config)
    learner = Learner(ours, config.training, torch.float32, plan.total_steps)
    losses = [float(learner.step(step, Silent()).loss) for step in steps]
    theirs = fresh_model(llama, make_config(**settings, lora__fused=False))
    expected = trainer_losses(theirs, [b for step in steps for b in step], config, plan.total_steps, tmp_path)
    assert losses == pytest.approx(expected, rel=1e-5)
    for name, tensor in adapter_state(ours).items():
        assert torch.allclose(tensor, adapter_state(theirs)[name], atol=1e-5), name


def test_accumulation_changes_memory_and_not_the_result(llama: Path, rows: Path, make_config: Any) -> None:
    """Eight rows at once, or two at a time: the same gradient, though the rows' answers differ in length."""
    config = make_config(lora__lora_dropout=0)
    job = prepare(config, model_path=llama, rows_path=rows, dataset_sha256=None, reporter=Silent())
    norms = []
    for size in (8, 2):
        learner = Learner(fresh_model(llama, config), config.training, torch.float32, 10)
        batches = [pad(job.train[i : i + size], 1) for i in range(0, 8, size)]
        seen = learner.step(batches, Silent())
        norms.append((float(seen.loss), float(seen.grad_norm)))
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)


def test_every_module_is_set_to_train_at_first_and_again_after_an_evaluation(
    llama: Path, rows: Path, make_config: Any
) -> None:
    config = make_config()
    job = prepare(config, model_path=llama, rows_path=rows, dataset_sha256=None, reporter=Silent())
    model = fresh_model(llama, config)
    learner = Learner(model, config.training, torch.float32, 4)
    for _ in range(2):
        learner.step([pad(job.train[:2], 1)], Silent())
        assert all(module.training for module in model.modules())
        likelihood(model, job.train[:2], pad_id=1, dtype=torch.float32, reporter=Silent())


@pytest.mark.parametrize("optim", typing.get_args(Optimizer))
def test_every_optimizer_moves_the_adapter_and_survives_a_checkpoint(
    optim: str, llama: Path, rows: Path, make_config: Any, tmp_path: Path
) -> None:
    config = make_config(training__optim=optim, training__weight_decay=0.01, training__warmup_steps=0)
    job = prepare(config, model_path=llama, rows_path=rows, dataset_sha256=None, reporter=Silent())
    batches = [pad(job.train[:4], 1)]

    def learner() -> Learner:
        return Learner(fresh_model(llama, config), config.training, torch.float32, 8)

    whole = learner()
    losses = [whole.step(batches, Silent()).loss for _ in range(6)]
    assert losses[-1] < losses[0]
    first = learner()
    for _ in range(3):
        first.step(batches, Silent())
    checkpoint.save(tmp_path, 3, first.state())
    second = learner()
    found = checkpoint.recover(tmp_path)
    assert found is not None
    assert found.state is not None
    second.restore(found.state)
    assert [second.step(batches, Silent()).loss for _ in range(3)] == losses[3:]


@pytest.mark.parametrize("name", typing.get_args(Schedule))
def test_every_schedule_warms_up_and_stays_within_its_peak(name: str) -> None:
    training = TrainingConfig(lr_scheduler_type=name, learning_rate=1e-8, warmup_steps=0.2)
    parameter = torch.nn.Parameter(torch.zeros(2, 2))
    optimizer = make_optimizer([parameter], training)
    scheduler = make_scheduler(optimizer, training, 20)
    rates = []
    for _ in range(20):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    assert max(rates) == pytest.approx(1e-8)
    assert min(rates) >= 0
    assert (rates[0] == 0) == (name != "constant")


def test_adam_equals_adamw_where_nothing_decays() -> None:
    weights = []
    for optim in ("adam", "adamw_torch"):
        torch.manual_seed(0)
        parameter = torch.nn.Parameter(torch.randn(4, 4))
        optimizer = make_optimizer([parameter], TrainingConfig(optim=optim))
        for _ in range(5):
            (parameter**2).sum().backward()
            optimizer.step()
        weights.append(parameter.detach().clone())
    assert torch.equal(weights[0], weights[1])


@pytest.mark.parametrize(("optim", "plain"), [("adamw_torch", torch.optim.AdamW), ("adam", torch.optim.Adam)])
def test_all_tensors_in_one_operation_are_what_they_are_one_by_one(optim: str, plain: Any) -> None:
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(size, size)) for size in (3, 50)]
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    training = TrainingConfig(optim=optim, learning_rate=1e-2, weight_decay=0.1 if optim != "adam" else 0)
    fused = make_optimizer(ours, training)
    usual = plain(theirs, lr=1e-2, weight_decay=training.weight_decay, foreach=False)
    assert all(group["fused"] for group in fused.param_groups)
    for _ in range(20):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        fused.step()
        usual.step()
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def test_biases_and_norms_do_not_decay() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(3, 3)), torch.nn.Parameter(torch.zeros(3))]
    optimizer = make_optimizer(parameters, TrainingConfig(weight_decay=0.1))
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]


def start(
    llama: Path, rows: Path, config: Any, folder: Path, reporter: Any, resume: bool = False
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    outcome = finetune(
        config, model_path=llama, rows_path=rows, output_dir=folder, baselines_dir=folder / "b",
        reporter=reporter, resume=resume,
    )  # fmt: skip
    found = checkpoint.recover(folder / "checkpoints")
    assert found is not None
    assert found.state is not None
    return outcome.results, found.state["learner"]["adapter"]


@pytest.mark.parametrize("optim", ["adamw_torch", "paged_adamw_8bit"])
@pytest.mark.parametrize("stop_at", [3, 4, 6])
def test_an_interrupted_run_ends_bit_equal(
    optim: str, stop_at: int, llama: Path, rows: Path, make_config: Any, recording: Any, tmp_path: Path
) -> None:
    """Stopped in mid-epoch, at an epoch's end and in the second epoch; with dropout, across the epoch's edge."""
    config = make_config(
        training__optim=optim, training__num_train_epochs=2, lora__lora_dropout=0.1, data__validation_fraction=0.1,
        training__load_best_model_at_end=True,
    )  # fmt: skip
    whole = start(llama, rows, config, tmp_path / "whole", Silent())
    stopped = recording(stop_at=lambda r: r.steps == stop_at)
    with pytest.raises(Stopped):
        start(llama, rows, config, tmp_path / "two", stopped)
    again = recording()
    resumed = start(llama, rows, config, tmp_path / "two", again, resume=True)
    assert min(again.curves["train/loss"]) == stop_at + 1
    assert resumed[0] == whole[0]
    assert all(torch.equal(tensor, resumed[1][name]) for name, tensor in whole[1].items())
    lines = [json.loads(x) for x in (tmp_path / "two/metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if line["name"] == "train/loss"]
    assert steps == list(range(1, max(steps) + 1))


def test_without_resume_a_run_starts_from_zero(
    llama: Path, rows: Path, make_config: Any, recording: Any, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        start(llama, rows, make_config(), tmp_path, recording(stop_at=lambda r: r.steps == 2))
    again = recording()
    start(llama, rows, make_config(), tmp_path, again)
    assert min(again.curves["train/loss"]) == 1


def test_a_checkpoint_of_other_settings_is_not_continued(
    llama: Path, rows: Path, make_config: Any, recording: Any, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        start(llama, rows, make_config(), tmp_path, recording(stop_at=lambda r: r.steps == 2))
    again = recording()
    start(llama, rows, make_config(training__learning_rate=1e-3), tmp_path, again, resume=True)
    assert min(again.curves["train/loss"]) == 1


def test_recomputed_activations_change_no_digit(
    llama: Path, rows: Path, make_config: Any, recording: Any, tmp_path: Path
) -> None:
    """With dropout too: the backward pass has to draw what the forward pass drew."""
    curves = []
    for choice in (False, True):
        reporter = recording()
        config = make_config(training__gradient_checkpointing=choice, lora__lora_dropout=0.1)
        start(llama, rows, config, tmp_path / str(choice), reporter)
        assert reporter.environments[0]["gradient_checkpointing"] is choice
        curves.append(reporter.curves["train/loss"])
    assert curves[0] == curves[1]


def test_packing_trains_as_padding_does(
    llama: Path, rows: Path, make_config: Any, recording: Any, tmp_path: Path
) -> None:
    curves = []
    for choice in (False, True):
        reporter = recording()
        config = make_config(training__packing=choice, lora__lora_dropout=0)
        start(llama, rows, config, tmp_path / str(choice), reporter)
        curves.append(list(reporter.curves["train/loss"].values()))
    assert curves[0] == pytest.approx(curves[1], rel=1e-5)


def test_a_stop_within_a_step_takes_back_its_random_draws(llama: Path, rows: Path, make_config: Any) -> None:
    config = make_config(lora__lora_dropout=0.2)
    job = prepare(config, model_path=llama, rows_path=rows, dataset_sha256=None, reporter=Silent())
    batches = [pad(job.train[i : i + 2], 1) for i in range(0, 6, 2)]

    class StopsOnce(Silent):
        asked = 0

        def stop_requested(self) -> bool:
            self.asked += 1
            return self.asked == 3

    whole = Learner(fresh_model(llama, config), config.training, torch.float32, 4)
    expected = whole.step(batches, Silent())
    learner = Learner(fresh_model(llama, config), config.training, torch.float32, 4)
    reporter = StopsOnce()
    with pytest.raises(Stopped):
        learner.step(batches, reporter)
    assert learner.step(batches, reporter) == expected
