"""One way of training on a GPU, in a process of its own: this program's with given settings, or the plain one."""

import tempfile
import time
from pathlib import Path
from typing import Any

from worker import libraries

libraries.prepare()

import torch  # noqa: E402
from transformers import TrainerCallback  # noqa: E402

from app.launch import memory, model_shape  # noqa: E402
from benchmarks import _gpu_material, _plain_evaluation, _plain_training  # noqa: E402
from benchmarks._asking import Json, answer  # noqa: E402
from benchmarks._gpu_watch import PROFILED, TIMED, WARM, Watch  # noqa: E402
from benchmarks._our_rows import made_ready, rows  # noqa: E402
from worker.finetune import writers  # noqa: E402
from worker.finetune.batches import scored_tokens  # noqa: E402
from worker.finetune.errors import FinetuneError  # noqa: E402
from worker.finetune.evaluation import Measurement  # noqa: E402
from worker.finetune.generation import generate  # noqa: E402
from worker.finetune.likelihood import likelihood  # noqa: E402
from worker.finetune.preparing import Prepared  # noqa: E402
from worker.finetune.reporter import Silent  # noqa: E402
from worker.finetune.running import Clock, train_adapter  # noqa: E402
from worker.finetune.training import Training  # noqa: E402

STEPS = WARM + TIMED + 2 * PROFILED


class Watching(Silent):
    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def progress(self, step: int, total_steps: int, epoch: float, eta_seconds: float | None) -> None:
        self.watch.at(step)


class Calling(TrainerCallback):  # type: ignore[misc]
    def __init__(self, watch: Watch, collator: Any, tokens: list[int]) -> None:
        self.watch, self.collator, self.tokens = watch, collator, tokens

    def on_step_end(self, _: Any, state: Any, __: Any, **___: Any) -> None:
        self.watch.at(state.global_step)
        self.tokens.append(self.collator.tokens)


def material(*, folder: str, config: Json, tiny: bool) -> Json:
    """The model, the pairs, and the pairs as tokens for the plain side."""
    place = Path(folder)
    _gpu_material.make_model(place / "model", tiny=tiny)
    _gpu_material.make_rows(place / "rows.jsonl", 200 if tiny else 2500)
    rows(config=config, model=str(place / "model"), dataset=str(place / "rows.jsonl"), to=str(place / "rows.json"))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {"device": device, "torch": torch.__version__}


def ours(*, folder: str, config: Json, evaluate: bool) -> Json:
    """A training, and where it is asked for both halves of an evaluation; a refusal is an answer, too."""
    place, watch = Path(folder), Watch()
    try:
        job = made_ready(config, str(place / "model"), str(place / "rows.jsonl"))
        with tempfile.TemporaryDirectory() as output:
            nothing = Measurement({}, [])
            run = train_adapter(
                job, nothing, output_dir=Path(output), resume=False, clock=Clock(), reporter=Watching(watch)
            )
    except FinetuneError as refused:
        return {"refused": refused.title}
    seen = [row for step in watch.steps for batch in run.plan.step(step) for row in batch]
    found = watch.found(sum(len(run.examples[row]) for row in seen))
    found["forecast"] = _forecast(job, run, place / "model") / 1e9
    return found | (_evaluated(job, run.learner.model) if evaluate else {})


def _forecast(job: Prepared, run: Training, model: Path) -> int:
    """Bytes that the program forecasts from the shape alone, for the largest pass that there was."""
    shape = model_shape.read(model)
    largest = [run.examples[row] for row in run.plan.largest(packed=job.paths.packed)]
    assert shape is not None
    longest = max(map(len, largest))
    tokens = sum(map(len, largest)) if job.paths.packed else len(largest) * longest
    one = memory.Pass(tokens, scored_tokens(largest), longest)
    made = memory.training(job.config, shape, one, on_gpu=torch.cuda.is_available(), recompute=job.recompute)
    return made.total if made else 0


def _evaluated(job: Prepared, model: Any) -> Json:
    held_out, decoding, dtype = job.held_out, job.decoding, job.base.dtype
    began = time.perf_counter()
    likelihood(model, held_out.examples, pad_id=decoding.pad_id, dtype=dtype, reporter=Silent(), paths=job.paths)
    scored = time.perf_counter() - began
    began = time.perf_counter()
    writer = writers.tuned_writer(model, dtype, job.config.evaluation.generation)
    expected = [len(example.answer_ids) for example in held_out.examples]
    answers = generate(writer, held_out.questions, decoding, job.tokenizer, Silent(), expected=expected)
    return _rates(sum(map(len, held_out.examples)) / scored, len(answers) / (time.perf_counter() - began))


def _rates(scored: float, answered: float) -> Json:
    return {"scored tokens/s": scored, "answers/s": answered}


def plain(*, folder: str, lora: Json, training: Json, checkpointing: bool, new_tokens: int) -> Json:
    """Trainer on the same rows; then full logits, and `generate` at batch 8 on the model as it is."""
    place, watch = Path(folder), Watch()
    data = _plain_training.read(place / "rows.json")
    base, tokenizer = _plain_training.load(str(place / "model"))
    model = _plain_training.adapted(base, lora, checkpointing=checkpointing)
    tokens: list[int] = []
    trainer = _plain_training.trainer(
        model, tokenizer, data["train"], str(place / "out"), {**training, "max_steps": STEPS}
    )
    trainer.add_callback(Calling(watch, trainer.data_collator, tokens))
    trainer.train()
    found = watch.found(tokens[watch.steps.stop - 1] - tokens[watch.steps.start - 1])
    model.eval()
    began = time.perf_counter()
    _plain_evaluation.perplexity(model, tokenizer, data["held_out"])
    scored = time.perf_counter() - began
    began = time.perf_counter()
    answers = _plain_evaluation.generated(model, tokenizer, data["questions"], new_tokens)
    answering = time.perf_counter() - began
    return found | _rates(sum(len(row["input_ids"]) for row in data["held_out"]) / scored, len(answers) / answering)


if __name__ == "__main__":
    answer({"material": material, "ours": ours, "plain": plain})
