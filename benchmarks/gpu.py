"""Training and evaluation on a GPU, each fast path on and off, beside the plain way; shape of TinyLlama-1.1B.

    python -m benchmarks.gpu [--only stock default ...] [--tiny]

Weights are random, the 2,500 pairs synthetic (220 tokens in the mean, 512 at most); nothing is fetched. Needs torch,
transformers, peft, accelerate, bitsandbytes, tokenizers, safetensors, pydantic, jinja2, psutil, rich and nvidia-ml-py;
what scores answers is not used. Each row is a process of its own, so that none leaves anything to the next. `--tiny`
runs the same code on any machine, to see that it works.
"""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks._asking import Json, side

MODULE = "benchmarks._gpu_side"
# 4.38 GFLOP a useful token (forward, gradients of activations and of the adapter, attention at 512), at the 790
# TFLOP/s that an H200 computes in bfloat16: what no way of training can be above.
CEILING = 181_000
STEPS = 48
LORA = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05}
TRAINING: Json = {
    "learning_rate": 2e-4,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 1,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.03,
    "seed": 42,
}
PLAIN: Json = {
    "training.packing": False,
    "training.train_sampling_strategy": "random",
    "training.logits": "all",
    "training.logging_steps": 1,
    "lora.fused": False,
    "evaluation.generation": "plain",
}
# What each row sets; all else is the default.
WAYS: dict[str, Json] = {
    "default": {},
    "all of it off": PLAIN,
    "default, padded": {"training.packing": False},
    "default, random order": {"training.train_sampling_strategy": "random"},
    "default, all logits": {"training.logits": "all"},
    "default, peft's adapter": {"lora.fused": False},
    "default, a look each step": {"training.logging_steps": 1},
    "default, plain generation": {"evaluation.generation": "plain"},
    "default, checkpointing": {"training.gradient_checkpointing": True},
    "default, no dropout": {"lora.lora_dropout": 0.0},
    "compiled": {"training.torch_compile": True},
    "Liger kernels": {"training.use_liger_kernel": True},
    "4,096 tokens a step": {"training.max_tokens_per_step": 4096},
    "4,096 tokens, checkpointing": {"training.max_tokens_per_step": 4096, "training.gradient_checkpointing": True},
    "16,384 tokens a step": {"training.max_tokens_per_step": 16_384},
    "base whole": {"quantization.method": "none"},
    "base in 8 bits": {"quantization.method": "int8"},
}
STOCK = {"stock, no checkpointing": False, "stock, checkpointing": True}
COLUMNS = {
    "tokens/s": ",.0f", "times": ".2f", "of ceiling": ".1%", "step ms": ".1f", "launches": ",.0f", "busy": ".0%",
    "allocated": ".2f", "reserved": ".2f", "driver": ".2f", "forecast": ".2f", "scored tokens/s": ",.0f",
    "answers/s": ".1f",
}  # fmt: skip


def config(options: argparse.Namespace, sets: Json) -> Json:
    made: Json = {
        "model": {"base_model": "benchmark"},
        "quantization": {"method": "nf4"},
        "lora": dict(LORA),
        "data": {"dataset": 1, "max_length": 512},
        "training": {**TRAINING, "max_steps": STEPS, "eval_steps": 10**6, "gradient_checkpointing": False},
        "evaluation": {"max_eval_rows": options.eval_rows, "max_new_tokens": options.new_tokens},
    }
    for name, value in sets.items():
        group, _, key = name.partition(".")
        made[group][key] = value
    return made


def measure(options: argparse.Namespace, folder: Path) -> tuple[Json, dict[str, Json]]:
    """(the device, what was found a way); a way that ends in an error is told and left out."""
    wanted = options.only or [*STOCK, *WAYS]
    found: dict[str, Json] = {}
    with side([MODULE], options.threads, folder / "material.log") as making:
        device = making.ask("material", folder=str(folder), config=config(options, {}), tiny=options.tiny)
    for name in wanted:
        try:
            with side([MODULE], options.threads, folder / "way.log") as one:
                found[name] = _ask(one, options, folder, name)
        except SystemExit as ended:
            found[name] = {"refused": str(ended).strip().splitlines()[-1]}
        print(f"{name}: {found[name].get('refused', 'done')}", flush=True)
    return device, found


def _ask(one: Any, options: argparse.Namespace, folder: Path, name: str) -> Json:
    place = str(folder)
    if name in STOCK:
        told = {"lora": LORA, "training": TRAINING, "new_tokens": options.new_tokens}
        answer: Json = one.ask("plain", folder=place, checkpointing=STOCK[name], **told)
    else:
        evaluated = name in ("default", "all of it off", "default, plain generation")
        answer = one.ask("ours", folder=place, config=config(options, WAYS[name]), evaluate=evaluated)
    return answer


def table(device: Json, found: dict[str, Json], *, tiny: bool) -> Table:
    on_gpu = device["device"] != "CPU"
    made = Table(title=f"{device['device']}, torch {device['torch']}", title_justify="left", box=box.MARKDOWN)
    for number, column in enumerate(("way", *COLUMNS)):
        made.add_column(column, justify="right" if number else "left", no_wrap=True)
    stock = next((one["tokens/s"] for name, one in found.items() if name in STOCK and "tokens/s" in one), None)
    for name, one in found.items():
        if "refused" in one:
            made.add_row(name, one["refused"])
            continue
        values = {**one, "times": one["tokens/s"] / stock if stock else None}
        values["of ceiling"] = one["tokens/s"] / CEILING if on_gpu and not tiny else None
        cells = (values.get(column) for column in COLUMNS)
        made.add_row(name, *("" if v is None else format(v, f) for v, f in zip(cells, COLUMNS.values(), strict=True)))
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Training on a GPU: each fast path on and off, beside the plain way.")
    parser.add_argument("--only", nargs="+", choices=[*STOCK, *WAYS], help="rows of the table; default: all")
    parser.add_argument("--eval-rows", type=int, default=64)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tiny", action="store_true", help="a model of a few thousand weights, for a try")
    options = parser.parse_args(arguments)
    if not options.tiny and shutil.which("nvidia-smi") is None:
        print("There is no NVIDIA GPU here: nothing was measured. --tiny runs the same at a size that says nothing.")
        return
    if options.tiny:
        options.eval_rows, options.new_tokens = 8, 8
    with tempfile.TemporaryDirectory() as folder:
        device, found = measure(options, Path(folder))
    Console(width=200).print(table(device, found, tiny=options.tiny))


if __name__ == "__main__":
    main()
