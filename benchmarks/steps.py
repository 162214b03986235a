"""Training steps per second against transformers.Trainer: the same model, rows, batches, optimizer and schedule.

    python -m benchmarks.steps [--model FOLDER] [--dataset rows.jsonl] [--steps 60] [--rounds 3]

The two sides take turns, so that what else the machine does hits both; the best round of each counts. Both load the
base anew for each round, and only the steps are timed. On a machine that is not idle run it with OMP_NUM_THREADS=1 and
read the steps per CPU second.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from worker import libraries

libraries.prepare()

import torch  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402
from transformers import Trainer, TrainingArguments  # noqa: E402

from app.run_config import RunConfig  # noqa: E402
from app.settings import SAMPLES  # noqa: E402
from worker.finetune.adapter import attach  # noqa: E402
from worker.finetune.artifacts import Curves  # noqa: E402
from worker.finetune.batches import pad  # noqa: E402
from worker.finetune.learner import Learner  # noqa: E402
from worker.finetune.memory import measured  # noqa: E402
from worker.finetune.plan import Plan, make_plan  # noqa: E402
from worker.finetune.preparing import Prepared, prepare  # noqa: E402
from worker.finetune.reporter import Silent  # noqa: E402
from worker.finetune.running import Told  # noqa: E402
from worker.finetune.training import Training, train  # noqa: E402

Seconds = tuple[float, float]  # by the clock on the wall, and of CPU


def timed(work: Callable[[], Any]) -> Seconds:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def config(steps: int, fused: bool) -> RunConfig:
    return RunConfig.model_validate(
        {
            "model": {"base_model": "benchmark"},
            "lora": {"fused": fused},
            "data": {"dataset": 1, "max_length": 256, "max_train_rows": 300},
            "training": {"max_steps": steps, "gradient_accumulation_steps": 1, "eval_steps": 10**6},
            "evaluation": {"max_eval_rows": 10},
        }
    )


def load(options: argparse.Namespace, fused: bool = True) -> Prepared:
    return prepare(
        config(options.steps, fused), model_path=options.model, rows_path=options.dataset, dataset_sha256="0",
        reporter=Silent(),
    )  # fmt: skip


def ours(options: argparse.Namespace) -> Seconds:
    """Seconds of the whole loop, its points, its memory samples and its last checkpoint included."""
    job = load(options)
    training = job.config.training
    plan = make_plan([len(e) for e in job.train], training)
    learner = Learner(attach(job.base.model, job.config), training, job.base.dtype, plan.total_steps, job.paths)
    with tempfile.TemporaryDirectory() as folder, measured(job.base.device) as memory:
        points = Told(Curves(Path(folder) / "metrics.jsonl", keep=0), Silent())
        run = Training(
            learner=learner, examples=job.train, plan=plan, config=training, pad_id=job.decoding.pad_id,
            checkpoints=Path(folder), identity="", memory=memory, reporter=Silent(), points=points,
            evaluate=lambda _: None,
        )  # fmt: skip
        return timed(lambda: train(run))


class Batches(Dataset[dict[str, torch.Tensor]]):
    """Our batches in our order; joining rows is timed on both sides."""

    def __init__(self, job: Prepared, plan: Plan) -> None:
        self.job = job
        self.batches = [batch for step in range(plan.total_steps) for batch in plan.step(step)]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, at: int) -> dict[str, torch.Tensor]:
        batch = pad([self.job.train[i] for i in self.batches[at]], self.job.decoding.pad_id)
        return {**batch.inputs(), "labels": batch.labels}


class InOrder(Trainer):  # type: ignore[misc]
    def get_train_dataloader(self) -> Any:
        return DataLoader(self.train_dataset, batch_size=None, shuffle=False)


def theirs(options: argparse.Namespace) -> Seconds:
    """Seconds of Trainer.train with peft's own adapter, without any logging or saving."""
    job = load(options, fused=False)
    training = job.config.training
    plan = make_plan([len(e) for e in job.train], training)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, max_steps=plan.total_steps, logging_strategy="no", save_strategy="no", report_to=[],
            learning_rate=training.learning_rate, lr_scheduler_type=training.lr_scheduler_type,
            warmup_steps=training.warmup_steps, optim=training.optim, max_grad_norm=training.max_grad_norm,
            seed=training.seed, disable_tqdm=True, use_cpu=not torch.cuda.is_available(),
        )  # fmt: skip
        model = attach(job.base.model, job.config)
        trainer = InOrder(model=model, args=arguments, train_dataset=Batches(job, plan))
        return timed(trainer.train)


def main() -> None:
    parser = argparse.ArgumentParser(description="Training steps per second against transformers.Trainer.")
    parser.add_argument("--model", type=Path, default=SAMPLES / "models" / "clinic-2m")
    parser.add_argument("--dataset", type=Path, default=SAMPLES / "data" / "clinic_pairs.jsonl")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    sides: dict[str, list[Seconds]] = {"Tuneboard": [], "transformers.Trainer": []}
    for _ in range(options.rounds):
        sides["Tuneboard"].append(ours(options))
        sides["transformers.Trainer"].append(theirs(options))
    print(f"{options.steps} steps of batch 4, NF4, LoRA r=8, {torch.get_num_threads()} thread(s)\n")
    print(f"{'':24}{'steps/s':>12}{'median':>12}{'steps/CPU-s':>14}{'median':>12}")
    best = []
    for name, found in sides.items():
        wall, cpu = ([options.steps / seconds[kind] for seconds in found] for kind in (0, 1))
        best.append((max(wall), max(cpu)))
        print(f"{name:24}{max(wall):12.2f}{median(wall):12.2f}{max(cpu):14.2f}{median(cpu):12.2f}")
    print(f"{'ratio':24}{best[0][0] / best[1][0]:12.2f}{'':12}{best[0][1] / best[1][1]:14.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
