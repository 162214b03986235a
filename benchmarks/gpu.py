"""The training path on a GPU, with the shape of TinyLlama-1.1B at random weights: speed and memory, 4-bit and not.

    python -m benchmarks.gpu [--steps 40] [--methods nf4 none] [--tiny]

Everything is made here: weights, tokenizer and 2,500 synthetic pairs; nothing is fetched. Needs torch, transformers,
peft, accelerate, bitsandbytes, tokenizers, safetensors, pydantic, jinja2, psutil and nvidia-ml-py; the metric
libraries are not used. `--tiny` runs the same code on any machine in seconds, to see that it works.
"""

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from worker import quiet

quiet.hush()

import torch  # noqa: E402
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: E402

from app.launch import memory, model_shape  # noqa: E402
from app.run_config import RunConfig  # noqa: E402
from worker.finetune import writers  # noqa: E402
from worker.finetune.device import device_name  # noqa: E402
from worker.finetune.evaluation import Measurement  # noqa: E402
from worker.finetune.generation import generate  # noqa: E402
from worker.finetune.likelihood import likelihood  # noqa: E402
from worker.finetune.preparing import Prepared, prepare  # noqa: E402
from worker.finetune.reporter import Silent  # noqa: E402
from worker.finetune.running import Clock, train_adapter  # noqa: E402

TINYLLAMA = {
    "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32,
    "num_key_value_heads": 4, "max_position_embeddings": 2048, "vocab_size": 32_000,
}  # fmt: skip
TINY = TINYLLAMA | {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
WORDS = [a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in "lnrst"]


def make_model(folder: Path, shape: dict[str, int]) -> None:
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        model = LlamaForCausalLM(LlamaConfig(**shape, bos_token_id=0, eos_token_id=1)).to(torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=800, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([" ".join(WORDS)], trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>").save_pretrained(folder)


def make_rows(path: Path, count: int) -> None:
    """Pairs of 20 to 120 words, about as long as questions and answers for patients are."""
    draw = random.Random(0)

    def words(low: int, high: int) -> str:
        return " ".join(draw.choices(WORDS, k=draw.randint(low, high)))

    pairs = [
        {"instruction": f"{i} {words(5, 20)}?", "input": "", "response": f"{words(20, 120)}."} for i in range(count)
    ]
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))


def make_config(options: argparse.Namespace, method: str) -> RunConfig:
    return RunConfig.model_validate(
        {
            "model": {"base_model": "benchmark"},
            "quantization": {"method": method},
            "data": {"dataset": 1, "max_length": 512},
            "training": {
                "max_steps": options.steps,
                "per_device_train_batch_size": options.batch_size,
                "gradient_accumulation_steps": 1,
                "eval_steps": 10**6,
            },
            "evaluation": {"max_eval_rows": options.eval_rows, "max_new_tokens": 64},
        }
    )


def measure(options: argparse.Namespace, method: str, model: Path, rows: Path, folder: Path) -> dict[str, Any]:
    """One whole training and both halves of an evaluation."""
    began = time.perf_counter()
    job = prepare(
        make_config(options, method), model_path=model, rows_path=rows, dataset_sha256="0", reporter=Silent()
    )  # fmt: skip
    loaded = time.perf_counter() - began
    nothing = Measurement({}, [])
    run = train_adapter(job, nothing, output_dir=folder, resume=False, clock=Clock(), reporter=Silent())
    done, used = run.done, run.memory
    scored, scoring, answered, answering = evaluate(job, run.learner.model)
    return {
        "base": method,
        "load s": loaded,
        "steps/s": done.step / done.seconds,
        "tokens/s": done.tokens / done.seconds,
        "forecast GB": forecast(job, model) / 1e9,
        "peak GB": used.peak / 1e9,
        "mean GB": (used.mean or 0) / 1e9,
        "device GB": used.device_peak / 1e9,
        "scored tokens/s": scored / scoring,
        "answers/s": answered / answering,
    }


def forecast(job: Prepared, model: Path) -> int:
    """Bytes that the launch form would have said, from the shape alone."""
    shape, longest = model_shape.read(model), max(map(len, job.train))
    assert shape is not None
    on_gpu = torch.cuda.is_available()
    made = memory.training(job.config, shape, longest=longest, on_gpu=on_gpu, recompute=job.recompute)
    return made.total if made else 0


def evaluate(job: Prepared, model: Any) -> tuple[int, float, int, float]:
    """(tokens scored, seconds, answers generated, seconds)."""
    began = time.perf_counter()
    likelihood(model, job.held_out.examples, pad_id=1, dtype=job.base.dtype, reporter=Silent())
    scoring = time.perf_counter() - began
    began = time.perf_counter()
    writer = writers.tuned_writer(model, job.base.dtype)
    answers = generate(writer, job.held_out.questions, job.decoding, job.tokenizer, Silent())
    return sum(map(len, job.held_out.examples)), scoring, len(answers), time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description="Training on a GPU: speed and memory, 4-bit and not.")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--eval-rows", type=int, default=64)
    parser.add_argument("--methods", nargs="+", default=["nf4", "none"])
    parser.add_argument("--tiny", action="store_true", help="a model of a few thousand weights, for a try")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder / "model", TINY if options.tiny else TINYLLAMA)
        make_rows(folder / "rows.jsonl", 2500)
        found = [measure(options, m, folder / "model", folder / "rows.jsonl", folder / m) for m in options.methods]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(f"{device_name(device)}, torch {torch.__version__}, batch {options.batch_size}, {options.steps} steps\n")
    print("".join(f"{name:>16}" for name in found[0]))
    for line in found:
        print("".join(f"{value if isinstance(value, str) else format(value, '.2f'):>16}" for value in line.values()))


if __name__ == "__main__":
    main()
